"""Calls as people write them: what is meant is done, and what cannot be meant is told in one line."""

from pathlib import Path
from typing import Any

import pytest

import mjbridge
from mjbridge import Edit, HttpResponse, Press, Status, Task
from tests.rehearsals import Rehearsal, record, scripted

_BUTTON = {"customId": "MJ::JOB::upsample::1::x", "label": "U1"}
_ACCEPTED = HttpResponse(200, b'{"code":1,"result":"2"}')


def test_a_button_of_the_task_is_pressed_as_it_is() -> None:
    """Nobody has to know that it is its custom id that names it, and nobody is asked for it again."""
    bridge, transport, _ = scripted([record(status="SUCCESS", buttons=[_BUTTON]), _ACCEPTED])
    grid = bridge.fetch("main:1")
    pressed = bridge.press(grid.ref, grid.buttons[0])
    assert (pressed.custom_id, pressed.parent_id) == (_BUTTON["customId"], "1")
    assert [request.path for request in transport.requests] == ["/mj/task/1/fetch", "/mj/submit/action"]


def test_no_button_is_no_button() -> None:
    """As `task.button` answers where there is none."""
    bridge, transport, _ = scripted([])
    nothing: Any = None
    with pytest.raises(mjbridge.InvalidCommand, match="button is NoneType, not text"):
        bridge.press("main:1", nothing)
    assert transport.requests == []


def test_no_name_presses_no_button() -> None:
    """A press costs, and nearly every button has no emoji, or no label."""
    bridge, transport, _ = scripted([record(status="SUCCESS", buttons=[_BUTTON])])
    grid = bridge.fetch("main:1")
    assert grid.button("") is None
    with pytest.raises(mjbridge.InvalidCommand, match="no button ''; its buttons: U1"):
        bridge.press(grid, "")
    assert len(transport.requests) == 1


def test_a_download_of_a_ref_is_one_of_its_task(tmp_path: Path) -> None:
    rehearsal = Rehearsal("mjproxy")
    grid = rehearsal.bridge.wait(rehearsal.bridge.imagine("a lighthouse"))
    assert rehearsal.bridge.download(grid.ref, tmp_path) == rehearsal.bridge.download(grid, tmp_path)


@pytest.mark.parametrize("command", ["a pig", mjbridge.Imagine, None])
def test_what_is_no_command_is_told_of_as_such(command: Any) -> None:
    """It is no command that a vendor lacks, and no reason to ask the next."""
    bridge, transport, _ = scripted([])
    for ask in (bridge.submit, bridge.run):
        with pytest.raises(mjbridge.InvalidCommand, match=r"is no command, as Imagine\(prompt=...\) is one"):
            ask(command)
    assert transport.requests == []


def test_a_task_that_is_given_twice_comes_once_by_what_is_known_of_it() -> None:
    """As a ref and as a state, in whichever order."""
    done = Task(id="1", account="main", provider="mjproxy", status=Status.COMPLETED)
    early = Task(id="2", account="main", provider="mjproxy", prompt="a pig")
    listed = HttpResponse(200, b'[{"id":"2","status":"SUCCESS"}]')
    bridge, _, _ = scripted([listed, listed])
    found = list(bridge.wait_many(["main:1", done, early, "main:2"]))
    assert [task.ref for task in found] == ["main:1", "main:2"]
    assert [task.prompt for task in bridge.fetch_many(["main:2", early, "main:2"])] == ["a pig"]


def test_a_route_that_is_none_is_no_route() -> None:
    """As the environment answers where nobody has set one."""
    bridge, transport, _ = scripted([])
    nothing: Any = None
    with pytest.raises(mjbridge.ConfigError, match="unknown route or account None; known: main"):
        bridge.imagine("pig", route=nothing)
    assert transport.requests == []


@pytest.mark.parametrize("timeout", [None, "5"])
def test_a_time_out_that_is_no_number_is_refused(timeout: Any) -> None:
    bridge, transport, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match=f"a wait of {timeout!r} seconds is none"):
        bridge.imagine("pig", timeout=timeout)
    assert transport.requests == []


def test_a_picture_alone_is_edited_however_it_is_given(tmp_path: Path) -> None:
    """As the command `Edit` takes it: neither a path, nor bytes, nor an address is taken apart."""
    picture = b"\x89PNG\r\n\x1a\n"
    path = tmp_path / "a.png"
    path.write_bytes(picture)
    for given in (path, picture, "https://x.example/a.png"):
        bridge, transport, _ = scripted([HttpResponse(200, b'{"code":1,"result":"1"}')])
        bridge.edit("a hat", given)
        (command,) = Edit(prompt="a hat", images=(given,)).images
        assert transport.requests[0].json["image"] == command


def test_one_picture_is_no_blend() -> None:
    bridge, _, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match="images has 1; a blend has 2 to 5"):
        bridge.blend("https://x.example/a.png")


def test_a_task_from_storage_is_told_of_by_its_id() -> None:
    bridge, transport, _ = scripted([])
    stored = mjbridge.normalize({"id": "1730", "imageUrl": "g", "status": "SUCCESS"})
    with pytest.raises(mjbridge.InvalidCommand, match=r"task 1730 does not say which account has it.*account:id"):
        bridge.fetch(stored)
    assert bridge.wait(stored) is stored, "there is nothing to ask for"
    assert list(bridge.wait_many([stored])) == [stored]
    assert transport.requests == []


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("upscale", {"kind": "subtle"}),
        ("remix", {"index": 1, "strength": "strong"}),
        ("press", {"button": "no such label"}),
    ],
)
def test_what_a_task_s_own_buttons_cannot_say_is_an_error_of_its_account(method: str, said: dict[str, Any]) -> None:
    """Whether the buttons were at hand or had to be asked for."""
    bridge, transport, _ = scripted([record(status="SUCCESS", buttons=[_BUTTON])])
    with pytest.raises(mjbridge.MJBridgeError) as caught:
        getattr(bridge, method)(bridge.fetch("main:1"), **said)
    assert (caught.value.account, caught.value.provider, caught.value.operation) == ("main", "mjproxy", "submit")
    assert len(transport.requests) == 1


def test_many_tasks_keep_what_the_vendor_no_longer_says_as_one_does() -> None:
    alone, listed = b'{"id":"1","status":"IN_PROGRESS"}', b'[{"id":"1","status":"IN_PROGRESS"}]'
    bridge, _, _ = scripted([HttpResponse(200, body) for body in (alone, listed, listed)])
    known = Task(id="1", account="main", provider="mjproxy", status=Status.PENDING, prompt="a pig", state="order 17")
    found = bridge.fetch(known)
    assert (found.prompt, found.state, found.status) == ("a pig", "order 17", Status.PROCESSING)
    assert bridge.fetch_many([known]) == [found]
    assert bridge.fetch_many(["main:1"])[0].prompt is None


def test_a_pressed_button_need_not_look_like_midjourney_s() -> None:
    """A button is pressed by what it holds; a text without colons is looked for among the task's."""
    bridge, transport, _ = scripted([_ACCEPTED])
    bridge.press("main:1", mjbridge.Button("own-id"))
    assert transport.requests[0].json["customId"] == Press(task_id="1", custom_id="own-id").custom_id
