"""One story at every vendor, by API and by command line; where a step is unsupported, the error names the way round."""

import json
import re
from pathlib import Path

import pytest

from mjbridge import Bridge, InvalidCommand, Status, Task, TaskFailed, Unsupported
from mjbridge.emulator import pictures
from mjbridge.emulator.transport import SECONDS
from mjbridge.wire import HttpResponse
from tests.exchanges import PROVIDERS
from tests.rehearsals import Rehearsal, record, scripted
from tests.shell import Shell

EMULATE = ("--emulate", "apimart")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_story_by_api(provider: str, tmp_path: Path) -> None:
    """Imagine, upscale 2, zoom out, inpaint with a mask, video, download; describe a picture; blend three."""
    bridge = Rehearsal(provider).bridge
    cat, mask = tmp_path / "cat.png", tmp_path / "mask.png"
    cat.write_bytes(pictures.single("a cat", 1))
    mask.write_bytes(pictures.single("a mask", 2))

    grid = bridge.wait(bridge.imagine("a lighthouse", images=(cat,), aspect="16:9"))
    single = bridge.wait(bridge.upscale(grid, 2))
    wide = bridge.wait(bridge.zoom(single))
    assert (wide.action, wide.parent_id, len(wide.image_urls)) == ("zoom", single.id, 4)

    opened = bridge.wait(bridge.inpaint(bridge.wait(bridge.upscale(wide, 1))))
    assert (opened.status, opened.done, opened.images) == (Status.NEEDS_INPUT, False, ())
    painted = bridge.wait(bridge.confirm(opened, "a red sofa", mask))
    assert (painted.status, painted.prompt, len(painted.image_urls)) == (Status.COMPLETED, "a red sofa", 4)
    at_once = bridge.wait(bridge.inpaint(single, mask=mask, prompt="a red sofa"))
    assert (at_once.status, at_once.prompt) == (Status.COMPLETED, "a red sofa")

    film = bridge.wait(bridge.video(painted.images[0], "the sofa turns", motion="low"))
    (clip,) = bridge.download(film, tmp_path / "out")
    assert (film.action, film.images, clip.suffix) == ("video", (), ".mp4")
    assert bridge.wait(bridge.animate(single)).video_urls

    described = bridge.wait(bridge.describe(cat))
    assert len(described.texts) == 4
    blended = bridge.wait(bridge.blend([cat, mask, grid.images[0]], dimensions="square"))
    assert (blended.action, len(blended.image_urls)) == ("blend", 4)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_story_by_command_line(provider: str, shell: Shell) -> None:
    folder = shell.folder
    (folder / "cat.png").write_bytes(pictures.single("a cat", 1))
    (folder / "mask.png").write_bytes(pictures.single("a mask", 2))
    emulate = ("--emulate", provider)
    single = shell.task("upscale", shell.task("imagine", "a lighthouse", *emulate).ref, "2")
    assert shell.task("zoom", single.ref, "--ratio", "1.5", "--no-wait").action == "zoom"
    asking = shell("inpaint", single.ref)
    assert asking.returncode == 0
    assert b"it waits for input: mjbridge confirm" in asking.stderr
    ref = re.findall(rb"\S+:\S+ needs_input", asking.stdout)[0].split()[0].decode()
    painted = shell.task("confirm", ref, "--prompt", "a red sofa", "--mask", "mask.png")
    assert (painted.status, painted.prompt) == (Status.COMPLETED, "a red sofa")
    shell("video", single.ref, "--motion", "low", "--download", "out")
    assert [path.suffix for path in (folder / "out").iterdir()] == [".mp4"]
    assert len(shell.task("describe", "cat.png", *emulate).texts) == 4
    assert shell.task("blend", "cat.png", "mask.png", "cat.png", *emulate, "--no-wait").action == "blend"
    assert shell("download", painted.ref, "grids").returncode == 0
    assert len(list((folder / "grids").iterdir())) == 5


@pytest.mark.parametrize(
    ("provider", "arguments", "way_round"),
    [
        ("apimart", ["shorten", "a long prompt"], "describe a picture"),
        ("apimart", ["swap-face", "cat.png", "cat.png"], "edit the picture instead"),
        ("octopusx", ["swap-face", "cat.png", "--video", "https://example.com/1.mp4"], "give target, a picture"),
        ("octopusx", ["edit", "at night", "cat.png"], "inpaint an upscaled picture instead"),
        ("cometapi", ["upload", "cat.png"], "give their content, or addresses of your own"),
        ("cometapi", ["swap-face", "cat.png", "cat.png"], "edit the picture instead"),
        ("cometapi", ["edit", "of glass", "cat.png", "--retexture"], "a prompt that names its new look"),
        ("cometapi", ["blend", "cat.png", "cat.png", "--aspect", "16:9"], "give dimensions"),
    ],
)
def test_an_unsupported_step_names_the_way_round(
    provider: str, arguments: list[str], way_round: str, tmp_path: Path
) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "cat.png").write_bytes(pictures.single("a cat", 1))
    done = shell(*arguments, "--emulate", provider)
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"{provider} has no " in done.stderr.decode()
    assert way_round in done.stderr.decode()


def test_what_else_the_command_line_asks(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "cat.png").write_bytes(pictures.single("a cat", 1))
    emulate = ("--emulate", "mjproxy")
    grid = shell.task("imagine", "a cat --v 5.2", "--image", "cat.png", "--style-reference", "cat.png", *emulate)
    assert "--sref https://" in (grid.prompt or "")
    single = shell.task("upscale", grid.ref, "1")
    assert shell.task("upscale", single.ref, "--kind", "4x", "--no-wait").action == "upscale"
    assert shell.task("vary", single.ref, "--strength", "subtle", "--no-wait").action == "low_variation"
    assert shell.task("pan", single.ref, "up", "--no-wait").action == "pan"
    assert shell.task("remix", grid.ref, "2", "--prompt", "a dog", "--no-wait").prompt == "a dog"
    zoomed = shell.task("zoom", single.ref, "--prompt", "a cat --zoom 1.8", "--no-wait")
    assert zoomed.prompt == "a cat --zoom 1.8"
    film = shell.task("video", "cat.png", *emulate, "--batch", "2", "--end", "cat.png")
    assert len(film.video_urls) == 2
    assert shell.task("extend", film.ref, "--index", "2", "--no-wait").action == "video"
    assert shell.task("edit", "at night", "cat.png", *emulate, "--no-wait").action == "edit"
    assert shell.task("edit", "of glass", "cat.png", "--retexture", *emulate, "--no-wait").action == "retexture"
    wide = shell.task("blend", "cat.png", "cat.png", "--aspect", "16:9", *EMULATE)
    film = shell.task("video", wide.ref, "--index", "2", "--auto", "--end", "cat.png", "--no-wait")
    assert (film.action, film.parent_id) == ("video", wide.id)
    (tmp_path / "cat.mp4").write_bytes(pictures.clip("a cat", 1))
    swapped = shell.task("swap-face", "cat.png", "--video", "cat.mp4", *emulate)
    assert (swapped.action, swapped.images, len(swapped.video_urls)) == ("swap_video_face", (), 1)
    assert shell("seed", grid.ref).stdout.strip().isdigit()
    assert shell("upload", "cat.png", *emulate).stdout.startswith(b"https://")
    # A task that asks does not finish meanwhile, however slow the machine is.
    asking = shell.task("inpaint", single.ref)
    assert json.loads(shell("cancel", asking.ref, "--json").stdout)["status"] == "cancelled"
    assert shell.task("wait", single.ref).status is Status.COMPLETED


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["describe", "missing.png", "--emulate", "apimart"], "does not exist"),
        (["describe", "."], "is a directory"),
        (["blend", "--emulate", "apimart"], "Missing argument"),
        (["blend", "cat.png", "--emulate", "apimart"], "images has 1"),
        (["describe", "cat.txt", "--emulate", "apimart"], "no PNG, JPEG, WebP or GIF picture"),
        (["video", "emulated-apimart:1", "--emulate", "apimart"], "has no --account"),
        (["video", "cat.png", "--index", "2"], "are of a task's grid"),
        (["video", "cat.png", "--auto"], "are of a task's grid"),
        (["blend", *["cat.png"] * 2, "--aspect", "1:1", "--dimensions", "square", *EMULATE], "exclude each other"),
        (["edit", "of glass", "cat.png", "--mask", "cat.png", "--retexture", *EMULATE], "exclude each other"),
        (["upscale", "emulated-apimart:1"], "one of the two"),
        (["zoom", "emulated-apimart:1", "--ratio", "3"], "Invalid value for '--ratio'"),
        (["pan", "emulated-apimart:1", "north"], "Invalid value"),
        (["swap-face", "cat.png", "--emulate", "mjproxy"], "one of the two"),
        (["swap-face", "cat.png", "--video", "cat.txt", "--emulate", "mjproxy"], "no MP4, MOV or WebM video"),
    ],
)
def test_misuse_of_the_vocabulary_is_one_message(arguments: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(pictures.single("a cat", 1))
    (tmp_path / "cat.txt").write_text("no picture")
    done = Shell(tmp_path)(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


# Dialogs.


def _accepted(task_id: str, code: int = 1) -> HttpResponse:
    return HttpResponse(200, json.dumps({"code": code, "description": "", "result": task_id}).encode())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_wait_ends_where_input_is_needed_and_nothing_polls_on(provider: str) -> None:
    bridge = Rehearsal(provider).bridge
    single = bridge.wait(bridge.upscale(bridge.wait(bridge.imagine("a cat")), 1))
    opened = bridge.inpaint(single)
    assert bridge.wait(opened.ref, timeout=5).status is Status.NEEDS_INPUT
    (settled,) = bridge.wait_many([opened.ref], timeout=5)
    assert isinstance(settled, Task)
    assert settled.status is Status.NEEDS_INPUT


def test_an_answer_under_another_id_is_the_task_to_wait_for() -> None:
    finished = record(id="3", status="SUCCESS", imageUrl="https://cdn.example.com/3.png")
    bridge, transport, _ = scripted([_accepted("3"), finished])
    confirmed = bridge.confirm("main:2", "a red sofa")
    assert (confirmed.ref, confirmed.status) == ("main:3", Status.PENDING)
    assert bridge.wait(confirmed).status is Status.COMPLETED
    assert transport.requests[-1].path == "/mj/task/3/fetch"


def test_a_question_that_still_shows_after_its_answer_is_waited_out() -> None:
    """new-api keeps the question's row, and reads that one first until its poller comes round."""
    stale = record(id="2", action="INPAINT", status="MODAL")
    finished = record(id="2", action="INPAINT", status="SUCCESS", imageUrl="https://cdn.example.com/2.png")
    bridge, _, _ = scripted([_accepted("2"), stale, stale, finished])
    assert bridge.wait(bridge.confirm("main:2", "a red sofa")).status is Status.COMPLETED


def test_a_question_that_shows_for_ever_ends_with_the_time_out() -> None:
    stale = record(id="2", action="INPAINT", status="MODAL")
    bridge, _, clock = scripted([_accepted("2"), *[stale] * 100])
    confirmed = bridge.confirm("main:2", "a red sofa")
    began = clock.now
    with pytest.raises(Exception, match="needs_input"):
        bridge.wait(confirmed, timeout=60)
    assert clock.now - began <= 60


def test_a_task_that_never_asks_is_no_silent_loss_of_the_prompt() -> None:
    """A relay without the dialog varies at once; the task is in the error."""
    button = {"customId": "MJ::JOB::variation::2::x", "label": "V2"}
    grid = record(status="SUCCESS", buttons=[button])
    varied = record(id="2", status="SUCCESS", imageUrl="https://cdn.example.com/2.png")
    bridge, _, _ = scripted([grid, _accepted("2"), varied])
    with pytest.raises(TaskFailed, match="did not ask for input") as caught:
        bridge.remix("main:1", 2, "a dog")
    assert caught.value.task is not None
    assert caught.value.task.id == "2"
    assert (caught.value.account, caught.value.provider) == ("main", caught.value.task.provider)


def test_a_prompt_of_a_plain_zoom_is_a_slip() -> None:
    bridge, transport, _ = scripted([])
    with pytest.raises(InvalidCommand, match="ratio=None"):
        bridge.zoom("main:1", 2, prompt="a cat --zoom 2")
    assert transport.requests == []


def test_what_no_button_says_is_refused_even_where_the_buttons_are_at_hand() -> None:
    button = {"customId": "MJ::JOB::animate_high::1::x", "label": "Animate"}
    bridge, transport, _ = scripted([record(status="SUCCESS", buttons=[button])])
    task = bridge.fetch("main:1")
    with pytest.raises(Unsupported, match="prompt on Animate"):
        bridge.animate(task, prompt="waves")
    assert len(transport.requests) == 1


def test_an_upload_and_a_cancel_leave_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is finished at once must not count against `max_in_flight` for ever."""
    monkeypatch.setenv(SECONDS, "600")
    settings = {"provider": "mjproxy", "base_url": "emulator:", "max_in_flight": 1}
    with Bridge({"accounts": {"main": settings}}) as bridge:
        for _ in range(3):
            assert bridge.upload(pictures.single("a cat", 1)).startswith("https://")
        bridge.cancel(bridge.imagine("a cat", route="main"))
        assert bridge.imagine("a cat", route="main").status is Status.PENDING
