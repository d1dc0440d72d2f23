"""The simulated Midjourney: its pictures, its memory and its faults."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies
from PIL import Image, ImageChops

import mjbridge
from mjbridge import Bridge, Cancel, Confirm, HttpRequest, Imagine, Inpaint, Press, Status, Upscale, Zoom, plugins
from mjbridge.emulator import BannedPrompt, Emulator, EmulatorTransport, SlowReply, pictures
from mjbridge.emulator.faults import Faults, HttpFault, QueueFull
from mjbridge.emulator.transport import SECONDS
from mjbridge.testing.stage import Clock


def _image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_an_emulator_is_made_of_a_provider_or_its_name() -> None:
    named, made = Emulator("apimart"), Emulator(plugins.load("apimart")())
    request = HttpRequest("GET", "/v1/midjourney/1")
    assert named.handle(request) == made.handle(request)


def test_the_singles_are_crops_of_the_grid() -> None:
    grid = _image(pictures.grid("a lighthouse"))
    size = pictures.TILE
    assert grid.size == (2 * size, 2 * size)
    for number, (left, top) in enumerate([(0, 0), (size, 0), (0, size), (size, size)], start=1):
        single = _image(pictures.single("a lighthouse", number))
        assert ImageChops.difference(single, grid.crop((left, top, left + size, top + size))).getbbox() is None


def test_a_picture_is_drawn_from_its_prompt() -> None:
    assert pictures.grid("a lighthouse") == pictures.grid("a lighthouse")
    assert pictures.grid("a lighthouse") != pictures.grid("a lighthouse at dusk")
    assert len({pictures.single("a lighthouse", number) for number in range(1, 5)}) == 4


def test_an_upscale_is_its_picture_at_twice_the_size() -> None:
    upscaled, single = _image(pictures.upscaled("pig", 2)), _image(pictures.single("pig", 2))
    assert upscaled.size == (2 * pictures.TILE, 2 * pictures.TILE)
    assert ImageChops.difference(upscaled, single.resize(upscaled.size)).getbbox() is None


def _emulator(provider: str = "mjproxy", duration: float = 10.0) -> tuple[Emulator, Clock]:
    clock = Clock()
    return Emulator(plugins.load(provider)(), clock=clock, duration=duration), clock


def test_the_environment_says_how_long_a_grid_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge({"accounts": {"main": {"provider": "mjproxy", "base_url": "emulator:"}}})
    assert bridge.fetch(bridge.imagine("pig")).done
    monkeypatch.setenv(SECONDS, "1e6")
    slow = Bridge(bridge.config)
    assert slow.fetch(slow.imagine("pig")).status is Status.PENDING


@pytest.mark.parametrize("seconds", ["", "soon", "-1", "nan", "inf"])
def test_seconds_that_are_none_are_refused(seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, seconds)
    bridge = Bridge({"accounts": {"main": {"provider": "mjproxy", "base_url": "emulator:"}}})
    with pytest.raises(mjbridge.ConfigError, match=f"MJBRIDGE_EMULATOR_SECONDS is '{seconds}'"):
        bridge.imagine("pig")


def test_a_task_moves_by_the_clock_alone() -> None:
    emulator, clock = _emulator()
    task = emulator.simulator.submit(Imagine(prompt="pig"))
    seen: list[tuple[str, int | None]] = []
    for _ in range(11):
        now = emulator.simulator.fetch(task.id)
        assert now == emulator.simulator.fetch(task.id)
        seen.append((now.vendor_status, now.progress))
        clock.sleep(1)
    assert seen == [
        ("NOT_START", 0),
        ("SUBMITTED", 0),
        ("IN_PROGRESS", 0),
        *(("IN_PROGRESS", int(100 * (second / 10 - 0.2) / 0.8)) for second in range(3, 10)),
        ("SUCCESS", 100),
    ]


def test_every_button_of_a_grid_and_of_a_single_works() -> None:
    emulator, clock = _emulator()
    grid = emulator.simulator.submit(Imagine(prompt="pig"))
    clock.sleep(10)
    single = emulator.simulator.submit(Upscale(task_id=grid.id, index=3))
    clock.sleep(10)
    for parent in (grid.id, single.id):
        for button in emulator.simulator.fetch(parent).buttons:
            child = emulator.simulator.submit(Press(task_id=parent, custom_id=button.custom_id))
            if button.action in ("inpaint", "custom_zoom"):
                assert child.status is Status.NEEDS_INPUT
                emulator.simulator.submit(Confirm(task_id=child.id, prompt="pig --zoom 1.8"))
            clock.sleep(20)
            made = emulator.simulator.fetch(child.id)
            assert (made.status, made.action) == (Status.COMPLETED, button.action)
            assert len(made.image_urls) == (0 if button.action in ("upscale", "video") else 4)
            assert len(made.video_urls) == (button.action == "video")
            assert made.video_urls or emulator.simulator.image(child.id).startswith(b"\x89PNG")


def test_the_upscaled_picture_is_the_one_that_was_asked_for() -> None:
    emulator, clock = _emulator()
    grid = emulator.simulator.submit(Imagine(prompt="pig"))
    clock.sleep(10)
    single = emulator.simulator.submit(Upscale(task_id=grid.id, index=3))
    clock.sleep(10)
    assert emulator.simulator.image(single.id) == pictures.upscaled("pig", 3)


def test_a_follow_up_of_an_unfinished_or_unknown_task_is_refused() -> None:
    emulator, _ = _emulator()
    grid = emulator.simulator.submit(Imagine(prompt="pig"))
    with pytest.raises(mjbridge.InvalidCommand, match="SUCCESS"):
        emulator.simulator.submit(Upscale(task_id=grid.id, index=1))
    with pytest.raises(mjbridge.TaskNotFound):
        emulator.simulator.submit(Upscale(task_id="1", index=1))


def test_a_button_is_pressed_by_its_custom_id_and_by_nothing_else() -> None:
    """As at the vendors: what works here with a label would be refused there."""
    emulator, clock = _emulator()
    grid = emulator.simulator.submit(Imagine(prompt="pig"))
    clock.sleep(60)
    button = emulator.simulator.fetch(grid.id).buttons[0]
    with pytest.raises(mjbridge.InvalidCommand, match=f"no button {button.label}"):
        emulator.simulator.submit(Press(task_id=grid.id, custom_id=button.label))
    assert emulator.simulator.submit(Press(task_id=grid.id, custom_id=button.custom_id)).action == "upscale"


def test_a_dialog_is_answered_once_and_not_after_its_end() -> None:
    emulator, clock = _emulator()
    grid = emulator.simulator.submit(Imagine(prompt="pig"))
    clock.sleep(10)
    single = emulator.simulator.submit(Upscale(task_id=grid.id, index=3))
    clock.sleep(10)
    answered, ended = (emulator.simulator.submit(Inpaint(task_id=single.id)) for _ in range(2))
    emulator.simulator.submit(Confirm(task_id=answered.id, prompt="a red pig"))
    assert emulator.simulator.submit(Cancel(task_id=ended.id)).status is Status.CANCELLED
    for task in (answered, ended, grid):
        with pytest.raises(mjbridge.InvalidCommand, match="does not wait for input"):
            emulator.simulator.submit(Confirm(task_id=task.id))
    with pytest.raises(mjbridge.InvalidCommand, match="has ended already"):
        emulator.simulator.submit(Cancel(task_id=ended.id))
    custom = emulator.simulator.submit(Zoom(task_id=single.id, ratio=None))
    with pytest.raises(mjbridge.InvalidCommand, match="--zoom"):
        emulator.simulator.submit(Confirm(task_id=custom.id, prompt="pig"))


def test_a_thousand_tasks_of_one_moment_have_their_own_ids() -> None:
    emulator, _ = _emulator()
    ids = {emulator.simulator.submit(Imagine(prompt="pig")).id for _ in range(1000)}
    assert len(ids) == 1000
    with pytest.raises(mjbridge.Unavailable, match="no task id left"):
        emulator.simulator.submit(Imagine(prompt="pig"))


def test_faults_happen_as_often_as_they_were_told_to() -> None:
    faults = Faults(QueueFull(times=2), HttpFault(500))
    assert [faults.take(QueueFull) is not None for _ in range(3)] == [True, True, False]
    assert faults.take(HttpFault) == HttpFault(500)
    assert faults.take(HttpFault) is None


def test_a_banned_word_waits_for_a_prompt_that_has_it() -> None:
    emulator, _ = _emulator()
    emulator.faults.add(BannedPrompt(word="nude"))
    emulator.simulator.submit(Imagine(prompt="pig"))
    with pytest.raises(mjbridge.ContentRejected, match="nude"):
        emulator.simulator.submit(Imagine(prompt="a nude pig"))


def test_a_reply_slower_than_the_time_out_is_lost_and_the_task_is_not() -> None:
    emulator, clock = _emulator()
    bridge = Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": "emulator:"}}},
        transport=lambda _provider, _settings: EmulatorTransport(emulator, read_timeout=5, sleep=clock.sleep),
    )
    emulator.faults.add(SlowReply(seconds=60))
    began = clock.now
    with pytest.raises(mjbridge.SubmissionUnknown):
        bridge.imagine("pig")
    assert clock.now - began == 5
    # The vendor has it all the same, under the id of that moment.
    assert emulator.simulator.fetch(f"{int(clock.now * 1000)}000").prompt == "pig"


def test_a_folder_remembers_tasks_for_the_next_process(tmp_path: Path) -> None:
    settings = {"accounts": {"main": {"provider": "apimart", "base_url": f"emulator:{tmp_path / 'jobs'}"}}}
    task = Bridge(settings).imagine("pig")
    assert Bridge(settings).fetch(task.ref).prompt == "pig"
    with pytest.raises(mjbridge.TaskNotFound):
        Bridge(settings).fetch("main:../../secret")


def test_a_memory_that_cannot_be_used_is_told_of_by_its_place(tmp_path: Path) -> None:
    """A file where the folder should be, and what another version or a person has left in it."""
    (tmp_path / "file").touch()
    (tmp_path / "1.json").write_text("{}")
    (tmp_path / "2.json").write_text("nonsense")

    def opened(place: Path) -> Bridge:
        account = {"provider": "mjproxy", "base_url": f"emulator:{place}"}
        return Bridge({"accounts": {"main": account}}, sleep=lambda _: None)

    with pytest.raises(mjbridge.MJBridgeError, match=r"cannot write to the folder .*file"):
        opened(tmp_path / "file").imagine("pig")
    with pytest.raises(mjbridge.MJBridgeError, match=r"cannot read from the folder .*file"):
        opened(tmp_path / "file").fetch("main:1")
    for task_id in ("1", "2"):
        with pytest.raises(mjbridge.MJBridgeError, match=rf"{task_id}\.json is no task .*; remove it"):
            opened(tmp_path).fetch(f"main:{task_id}")


def test_the_headers_of_a_scripted_reply_may_be_written_as_anybody_writes_them() -> None:
    emulator, _ = _emulator()
    emulator.faults.add(HttpFault(status=429, headers={"Retry-After": "7"}))
    assert emulator.handle(HttpRequest("GET", "/mj/task/1/fetch")).retry_after == 7


def test_no_picture_is_served_but_the_emulator_s_own() -> None:
    emulator, _ = _emulator()
    transport = EmulatorTransport(emulator)
    for url in ("https://elsewhere.example/a.png", f"{emulator.public_url}/pictures/1.png", "file:///etc/passwd"):
        with pytest.raises(mjbridge.Unavailable), transport.open(url):
            pass


@pytest.mark.parametrize("name", ["~5.png", "~0.png", "~x.png"])
def test_a_grid_has_four_singles_and_a_preview(name: str) -> None:
    emulator, _ = _emulator()
    task = emulator.simulator.submit(Imagine(prompt="pig"))
    with pytest.raises(mjbridge.TaskNotFound):
        emulator.simulator.picture(f"{task.id}{name}")
    assert _image(emulator.simulator.picture(f"{task.id}~preview.png")).size == (pictures.PREVIEW, pictures.PREVIEW)


_DOCUMENTS = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("name", plugins.names())
@settings(max_examples=100, deadline=None)
@given(data=strategies.data())
def test_whatever_a_request_holds_is_answered_in_the_dialect(name: str, data: strategies.DataObject) -> None:
    """Values of any form behind the keys that the vendor's requests have."""
    emulator = Emulator(name)
    body = data.draw(strategies.sampled_from(plugins.load(name)().bodies))
    keys = strategies.sampled_from([*body.always, *(key.name for key in body.keys.values()), "other"])
    document = {**body.always, **data.draw(strategies.dictionaries(keys, _DOCUMENTS, max_size=4))}
    response = emulator.handle(HttpRequest("POST", body.path, json=document, submits=True))
    assert isinstance(response.json(), dict)
