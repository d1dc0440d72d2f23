"""A task that asks and is answered in one call: `inpaint`, the custom `zoom`, and `remix` where it opens a dialog."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from mjbridge import (
    Bridge,
    ContentRejected,
    HttpRequest,
    HttpResponse,
    InvalidCommand,
    MJBridgeError,
    QuotaExceeded,
    RateLimited,
    SubmissionUnknown,
    Task,
    Unavailable,
    WaitTimeout,
)
from mjbridge.emulator import pictures
from mjbridge.pictures.inputs import data_uri
from mjbridge.wire import PICTURE_LIMIT
from tests.exchanges import PROVIDERS
from tests.rehearsals import record, scripted

MASK: Final = pictures.single("a mask", 1)
CLIP: Final = pictures.clip("a cat", 1)
_BUTTONS: Final = ("MJ::Inpaint::1::x::SOLO", "MJ::CustomZoom::x", "MJ::JOB::variation::2::x")
PARENT: Final = record(status="SUCCESS", buttons=[{"customId": custom_id, "label": "b"} for custom_id in _BUTTONS])
OPENED: Final = HttpResponse(200, b'{"code": 21, "description": "Waiting", "result": "777"}')
ASKING: Final = record(id="777", status="MODAL")

Ask = Callable[[Bridge], Task]
ASKS: Final[dict[str, Ask]] = {
    "inpaint": lambda bridge: bridge.inpaint("main:1", prompt="a red sofa", mask=MASK),
    "zoom": lambda bridge: bridge.zoom("main:1", None, prompt="a cat --zoom 1.8"),
    "remix": lambda bridge: bridge.remix("main:1", 2, "a dog"),
}
in_one_call: Final = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)


def _refused(status: int) -> HttpResponse:
    return HttpResponse(status, json.dumps({"error": {"message": "no", "type": "new_api_error"}}).encode())


@in_one_call
@pytest.mark.parametrize(
    ("polls", "cause"),
    [
        ([_refused(503)] * 5, Unavailable),
        ([_refused(403)], MJBridgeError),
        ([record(id="777", status="NOT_START")] * 1000, None),
    ],
    ids=["503", "403", "never asks"],
)
def test_whatever_ends_the_wait_for_the_question_carries_the_accepted_task(
    ask: Ask, polls: Sequence[HttpResponse], cause: type[MJBridgeError] | None
) -> None:
    """Who took it for a refused submit would ask again, and pay for a second task."""
    bridge, _, _ = scripted([PARENT, OPENED, *polls])
    with pytest.raises(WaitTimeout, match="task main:777") as caught:
        ask(bridge)
    error = caught.value
    assert error.task is not None
    assert (error.task.ref, error.account, error.accepted) == ("main:777", "main", "maybe")
    assert error.__cause__ is None if cause is None else isinstance(error.__cause__, cause)


_HTML: Final = b"<html>Bad Gateway</html>"
_BANNED: Final = b'{"code": 24, "description": "banned", "properties": {"bannedWord": "sofa"}}'


@in_one_call
@pytest.mark.parametrize(
    ("answer", "category", "facts"),
    [
        (_refused(429), RateLimited, (429, "new_api_error")),
        (_refused(402), QuotaExceeded, (402, "new_api_error")),
        (HttpResponse(200, _BANNED), ContentRejected, (200, "24")),
        (HttpResponse(502, _HTML), SubmissionUnknown, (502, "")),
        (Unavailable("reset", accepted="maybe"), SubmissionUnknown, (None, "")),
    ],
    ids=["429", "402", "banned", "502", "reset"],
)
def test_an_answer_that_fails_says_how_and_carries_the_accepted_task(
    ask: Ask,
    answer: HttpResponse | MJBridgeError,
    category: type[MJBridgeError],
    facts: tuple[int | None, str],
) -> None:
    """As `confirm` says it: who took a doubt for "wait again", and answered again, might pay for two."""
    bridge, transport, _ = scripted([PARENT, OPENED, ASKING, answer])
    with pytest.raises(category, match="task main:777 was accepted, and answering it failed: ") as caught:
        ask(bridge)
    error = caught.value
    assert type(error) is category
    assert error.task is not None
    assert (error.task.ref, error.account, error.accepted) == ("main:777", "main", "maybe")
    assert (error.http_status, error.vendor_code) == facts
    if isinstance(answer, HttpResponse):
        assert error.body == answer.text
    assert [request.path for request in transport.requests].count("/mj/submit/modal") == 1


@in_one_call
@pytest.mark.parametrize("replies", [[PARENT, OPENED], [PARENT, OPENED, ASKING]], ids=["waiting", "answering"])
def test_what_has_no_place_for_the_accepted_task_leaves_its_ref_in_the_log(
    ask: Ask, replies: Sequence[HttpResponse], caplog: pytest.LogCaptureFixture
) -> None:
    """As Ctrl-C: here the end of the script, which is no error of the family either."""
    bridge, _, _ = scripted(replies)
    with pytest.raises(AssertionError, match="no reply"):
        ask(bridge)
    assert [message for message in caplog.messages if "task main:777 was accepted" in message]


@in_one_call
def test_the_carried_task_can_be_answered_without_another(ask: Ask) -> None:
    bridge, transport, _ = scripted(
        [PARENT, OPENED, ASKING, _refused(429), HttpResponse(200, b'{"code":1,"result":"8"}')]
    )
    with pytest.raises(RateLimited) as caught:
        ask(bridge)
    assert caught.value.task is not None
    assert bridge.confirm(caught.value.task, "a red sofa").ref == "main:8"
    bodies: list[Any] = [request.json for request in transport.requests if request.submits]
    assert [body.get("taskId") for body in bodies] == ["1", "777", "777"]


WRONG: Final[Sequence[tuple[Ask, str]]] = (
    (lambda bridge: bridge.inpaint("main:1", mask=b"not a picture"), "mask is no PNG"),
    (lambda bridge: bridge.inpaint("main:1", mask=Path("nope.png")), "nope.png cannot be read"),
    (lambda bridge: bridge.inpaint("main:1", mask=CLIP), "mask is no PNG"),
    (lambda bridge: bridge.inpaint("main:1", prompt=" "), "prompt is empty"),
    (lambda bridge: bridge.zoom("main:1", None, prompt=""), "prompt is empty"),
    (lambda bridge: bridge.remix("main:1", 2, " "), "prompt is empty"),
)


@pytest.mark.parametrize(("ask", "words"), WRONG)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_wrong_answer_is_refused_before_anything_is_sent(provider: str, ask: Ask, words: str) -> None:
    bridge, transport, _ = scripted([], provider=provider)
    with pytest.raises(InvalidCommand, match=words):
        ask(bridge)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("provider", "mask", "words"),
    [("apimart", b"GIF89a", "cannot be read"), ("mjproxy", MASK + bytes(PICTURE_LIMIT), "at most")],
    ids=["apimart", "mjproxy"],
)
def test_what_the_provider_has_against_an_answer_is_told_before_anything_is_sent(
    provider: str, mask: bytes, words: str
) -> None:
    """A mask that cannot be made into what the vendor means by one, or is larger than it takes."""
    bridge, transport, _ = scripted([], provider=provider)
    with pytest.raises(InvalidCommand, match=words) as caught:
        bridge.inpaint("main:1", mask=mask)
    assert (caught.value.account, transport.requests) == ("main", [])


def test_the_mask_is_sent_as_it_was_when_it_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file may change, or go, while the task is opened."""
    path = tmp_path / "mask.png"
    path.write_bytes(MASK)
    bridge, transport, _ = scripted([PARENT, OPENED, ASKING, HttpResponse(200, b'{"code":1,"result":"8"}')])
    send = transport.send

    def losing(request: HttpRequest) -> HttpResponse:
        path.unlink(missing_ok=True)
        return send(request)

    monkeypatch.setattr(transport, "send", losing)
    assert bridge.inpaint("main:1", mask=path).id == "8"
    (sent,) = [request.json for request in transport.requests if request.path == "/mj/submit/modal"]
    assert sent is not None
    assert sent["maskBase64"] == data_uri(MASK, "mask")
