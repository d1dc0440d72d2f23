"""What a listener and the log are told, and that neither can break a call."""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from mjbridge import AllAccountsFailed, Bridge, HttpResponse, MJBridgeError, Status, Unavailable
from mjbridge.events import (
    AttemptFailed,
    CooledDown,
    Event,
    Events,
    FellBack,
    ReplyReceived,
    RequestSent,
    TaskUpdated,
    UnknownValue,
)
from mjbridge.testing import FakeTransport
from mjbridge.testing.stage import NOW, Clock

KEY = "sk-listened-0123456789abcdef"
ACCEPTED = HttpResponse(200, b'{"code": 1, "result": "7", "description": "ok"}')


def _record(**fields: object) -> HttpResponse:
    return HttpResponse(200, json.dumps({"id": "7", "action": "IMAGINE", "imageUrl": ""} | fields).encode())


def _bridge(replies: dict[str, Sequence[HttpResponse | MJBridgeError]], listener: Callable[[Event], object]) -> Bridge:
    """Accounts that answer from scripts, all of them in the default route, on a clock that stands still."""
    transports = {name: FakeTransport(script) for name, script in replies.items()}
    clock = Clock()
    return Bridge(
        {
            "accounts": {
                name: {"provider": "mjproxy", "base_url": f"http://{name}.example", "api_key": KEY} for name in replies
            },
            "routes": {"default": list(replies)},
        },
        clock=clock,
        now=clock,
        sleep=clock.sleep,
        transport=lambda _, settings: transports[(settings.base_url or "")[7:].removesuffix(".example")],
        on_event=listener,
    )


def test_a_submit_and_a_fetch_are_told_in_order() -> None:
    seen: list[Event] = []
    bridge = _bridge({"main": [ACCEPTED, _record(status="IN_PROGRESS", progress="40%")]}, seen.append)
    bridge.fetch(bridge.imagine("a lighthouse"))
    submit: dict[str, Any] = {"account": "main", "provider": "mjproxy", "operation": "submit", "time": NOW}
    fetch: dict[str, Any] = submit | {"operation": "fetch"}
    imagine: dict[str, Any] = {"method": "POST", "path": "/mj/submit/imagine"}
    get: dict[str, Any] = {"method": "GET", "path": "/mj/task/7/fetch"}
    size = len(_record(status="IN_PROGRESS", progress="40%").body)
    assert seen == [
        RequestSent(**submit, **imagine, submits=True),
        ReplyReceived(**submit, **imagine, http_status=200, seconds=0.0, size=len(ACCEPTED.body)),
        TaskUpdated(**submit, task_id="7", status=Status.PENDING),
        RequestSent(**fetch, **get),
        ReplyReceived(**fetch, **get, http_status=200, seconds=0.0, size=size),
        TaskUpdated(**fetch, task_id="7", status=Status.PROCESSING, progress=40),
    ]


def test_a_fallback_is_told_with_its_reason() -> None:
    seen: list[Event] = []
    bridge = _bridge({"main": [HttpResponse(503, b"<html>")], "spare": [ACCEPTED]}, seen.append)
    assert bridge.imagine("a lighthouse").account == "spare"
    kinds = [(event.account, type(event)) for event in seen if not isinstance(event, RequestSent | ReplyReceived)]
    assert kinds == [("main", AttemptFailed), ("main", CooledDown), ("main", FellBack), ("spare", TaskUpdated)]
    failed, cooled, fell_back = (event for event in seen if isinstance(event, AttemptFailed | CooledDown | FellBack))
    assert isinstance(failed, AttemptFailed)
    assert (failed.category, failed.http_status, failed.accepted) == ("Unavailable", 503, "no")
    assert isinstance(cooled, CooledDown)
    assert (cooled.category, cooled.reason, cooled.seconds) == ("Unavailable", failed.reason, 30.0)
    assert isinstance(fell_back, FellBack)
    assert (fell_back.category, fell_back.route, fell_back.provider) == ("Unavailable", "default", "mjproxy")


def test_where_no_account_follows_no_fallback_is_told(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Event] = []
    down = HttpResponse(503, b"<html>")
    bridge = _bridge({"main": [down], "spare": [down]}, seen.append)
    with pytest.raises(AllAccountsFailed):
        bridge.imagine("a lighthouse")
    assert [event.account for event in seen if isinstance(event, FellBack)] == ["main"]
    why = "Unavailable: 'the vendor answered without its own error object'"
    (told,) = (line for line in caplog.messages if line.startswith("spare"))
    assert told == f"spare (mjproxy) submit: is not asked for 30.0 s: {why}"


def test_an_unknown_status_and_an_unknown_action_are_told(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Event] = []
    odd = _record(status="DREAMING", action="LEVITATE")
    bridge = _bridge({"main": [odd, HttpResponse(200, b"[" + odd.body + b"]")]}, seen.append)
    bridge.fetch("main:7")
    bridge.fetch_many(["main:7"])
    told = [(event.operation, event.field, event.value) for event in seen if isinstance(event, UnknownValue)]
    both = [("status", "DREAMING"), ("action", "levitate")]
    assert told == [(operation, *each) for operation in ("fetch", "fetch_many") for each in both]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4
    assert "task 7 has an unknown status: 'DREAMING'" in caplog.messages[0]


def test_a_key_that_the_vendor_echoes_is_in_no_event() -> None:
    """In the text of an error, in a status and in an action; and a query is cut off."""
    seen: list[Event] = []
    echo = json.dumps({"error": {"message": f"no such key: {KEY}", "type": KEY}}).encode()
    bridge = _bridge({"main": [HttpResponse(401, echo), _record(status=KEY, action=f"x{KEY}")]}, seen.append)
    with pytest.raises(MJBridgeError):
        bridge.fetch("main:7")
    bridge.fetch("main:7")
    assert {type(event) for event in seen} == {RequestSent, ReplyReceived, AttemptFailed, TaskUpdated, UnknownValue}
    assert all(secret not in repr(seen).lower() for secret in (KEY.lower(), "bearer"))


@pytest.mark.parametrize("failing", [RequestSent, ReplyReceived, TaskUpdated, AttemptFailed])
def test_a_listener_that_raises_is_logged_and_costs_nothing(
    failing: type[Event], caplog: pytest.LogCaptureFixture
) -> None:
    def listen(event: Event) -> None:
        if type(event) is failing:
            raise LookupError("the listener's own trouble")

    bridge = _bridge({"main": [ACCEPTED, Unavailable("down"), _record(status="SUCCESS")]}, listen)
    assert bridge.fetch(bridge.imagine("a lighthouse")).done
    assert f"the listener of events failed on {failing.__name__}" in caplog.text
    assert "the listener's own trouble" in caplog.text


def test_every_event_is_a_log_record_with_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mjbridge")
    seen: list[Event] = []
    bridge = _bridge({"main": [HttpResponse(503)], "spare": [ACCEPTED]}, seen.append)
    bridge.imagine("a lighthouse")
    records = [record for record in caplog.records if hasattr(record, "event")]
    assert len(records) == len(seen) > 5
    for record, event in zip(records, seen, strict=True):
        assert record.name == f"mjbridge.{event.logger}"
        assert record.getMessage().startswith(f"{event.account} (mjproxy) submit: ")
        facts = {name: getattr(event, name) for name in event.__struct_fields__}
        assert {name: getattr(record, name) for name in facts} == facts
    assert {record.name for record in records} == {"mjbridge.http", "mjbridge.routing", "mjbridge.tasks"}


def test_where_nobody_listens_no_event_is_made() -> None:
    """`Events.wanted` asks the log's levels: by default only warnings are made."""
    logging.getLogger("mjbridge").setLevel(logging.NOTSET)
    silent = Events()
    assert {kind for kind in Event.__subclasses__() if silent.wanted(kind)} == {FellBack, CooledDown, UnknownValue}
    assert all(Events(print).wanted(kind) for kind in Event.__subclasses__())

    def clock() -> float:
        raise AssertionError("an event that nobody hears was made")

    Events(now=clock).tell(RequestSent, account="a", provider="p", operation="o", method="GET", path="/")


def test_an_event_is_data() -> None:
    """Frozen, and one line of JSON with its kind."""
    event = TaskUpdated(account="a", provider="p", operation="fetch", time=1.5, task_id="7", status=Status.FAILED)
    with pytest.raises(AttributeError):
        event.time = 2.0  # type: ignore[misc]  # frozen, which is what is tested
    assert json.loads(msgspec.json.encode(event)) == {
        "event": "task_updated",
        "account": "a",
        "provider": "p",
        "operation": "fetch",
        "time": 1.5,
        "task_id": "7",
        "status": "failed",
        "progress": None,
    }
