"""The journal against loss: what is submitted is known before it leaves, and what is accepted until it settles."""

import itertools
import json
import logging
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Executable
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.event import listen
from sqlalchemy.schema import CreateTable

from mjbridge import (
    Bridge,
    Command,
    ConfigError,
    HttpResponse,
    InvalidCommand,
    JournalError,
    MJBridgeError,
    Status,
    SubmissionUnknown,
    Task,
    Unavailable,
    Upscale,
    config,
)
from mjbridge.journal import Journal, Outcome, submissions
from mjbridge.testing import FakeTransport
from mjbridge.testing.stage import Clock
from tests.exchanges import SOON
from tests.journals import KEY, lines, over_http
from tests.servers import Connection, Handler, Scripted, answering, reply

ACCEPTED = b'{"code": 1, "result": "7", "description": "ok"}'
REFUSED = HttpResponse(200, b'{"code": 23, "description": "the queue is full"}')
IMAGINE = '{"command":"imagine","prompt":"a lighthouse"}'


@pytest.fixture
def kept(place: Path) -> Iterator[Journal]:
    """A journal whose clock and ids count."""
    seconds, ids = itertools.count(1000), itertools.count(1)
    made = Journal(place, now=lambda: float(next(seconds)), new_id=lambda: f"id-{next(ids)}")
    yield made
    made.close()


def _bridge(kept: Journal, **replies: Sequence[HttpResponse | MJBridgeError]) -> Bridge:
    """Accounts that answer from scripts, all of them in the default route."""
    transports = {name: FakeTransport(script) for name, script in replies.items()}
    return Bridge(
        {
            "accounts": {name: {"provider": "mjproxy", "base_url": f"http://{name}.example"} for name in replies},
            "routes": {"default": list(replies)},
        },
        journal=kept,
        sleep=lambda _: None,
        transport=lambda _, settings: transports[(settings.base_url or "")[7:].removesuffix(".example")],
    )


def _accepted(task_id: str) -> HttpResponse:
    return HttpResponse(200, json.dumps({"code": 1, "result": task_id}).encode())


def _record(task_id: str, status: str) -> dict[str, Any]:
    return {"id": task_id, "action": "IMAGINE", "imageUrl": "", "status": status}


def _reply(document: object) -> HttpResponse:
    return HttpResponse(200, json.dumps(document).encode())


# Before and after.


def test_the_intent_is_on_disk_when_the_vendor_reads_the_request(
    scripted: Callable[[Handler], Scripted], place: Path
) -> None:
    before: list[tuple[Any, ...]] = []

    def look(connection: Connection) -> None:
        connection.request()
        with sqlite3.connect(place) as other:
            before.extend(other.execute("select account, outcome, task_id, command from mjbridge_submissions"))
        other.close()
        connection.send(reply(ACCEPTED))

    with over_http(scripted(look).url, place) as bridge:
        bridge.imagine("a lighthouse")
        assert bridge.journal
        assert before == [("main", "unknown", "", IMAGINE)]
        (entry,) = bridge.journal.unsettled()
        assert (entry.ref, entry.outcome, entry.status) == ("main:7", "accepted", "pending")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (REFUSED, ("refused", "Unavailable")),
        (HttpResponse(401), ("refused", "AuthenticationError")),
        (Unavailable("no connection"), ("refused", "Unavailable")),
        (Unavailable("reset", accepted="maybe"), ("unknown", "SubmissionUnknown")),
        (HttpResponse(502, b"<html>"), ("unknown", "SubmissionUnknown")),
        (HttpResponse(200, b"null"), ("unknown", "SubmissionUnknown")),
    ],
)
def test_a_refusal_is_over_and_a_doubt_stays(
    kept: Journal, outcome: HttpResponse | MJBridgeError, told: tuple[str, str]
) -> None:
    bridge = _bridge(kept, main=[outcome])
    with pytest.raises(MJBridgeError):
        bridge.imagine("a lighthouse")
    assert lines(kept.all()) == [("main", *told, "")]
    assert len(list(kept.unsettled())) == (told[0] == "unknown")


def test_each_account_of_a_route_that_was_asked_has_its_line(kept: Journal) -> None:
    bridge = _bridge(kept, main=[REFUSED], spare=[_accepted("7")])
    assert bridge.imagine("a lighthouse").account == "spare"
    assert lines(kept.all()) == [("main", "refused", "Unavailable", ""), ("spare", "accepted", "pending", "7")]


def test_what_never_leaves_is_not_in_it(kept: Journal) -> None:
    """A follow-up whose parent cannot be read submits nothing."""
    bridge = _bridge(kept, main=[_reply({"error": {"message": "task_no_found", "type": "x"}})] * 2)
    with pytest.raises(MJBridgeError):
        bridge.upscale("main:1", 2)
    assert list(kept.all()) == []


def test_an_exception_that_is_not_of_the_family_leaves_the_doubt(kept: Journal) -> None:
    class Interrupting(FakeTransport):
        def send(self, request: object) -> HttpResponse:
            raise KeyboardInterrupt

    account = {"provider": "mjproxy", "base_url": "http://main.example"}
    bridge = Bridge({"accounts": {"main": account}}, journal=kept, transport=lambda _, __: Interrupting())
    with pytest.raises(KeyboardInterrupt):
        bridge.imagine("a lighthouse")
    assert lines(kept.unsettled()) == [("main", "unknown", "", "")]


# What is seen later.


def test_a_task_is_followed_by_whoever_reads_it_until_it_settles(kept: Journal) -> None:
    replies = [
        *(_accepted(task_id) for task_id in "123"),
        _reply(_record("1", "IN_PROGRESS")),
        _reply([_record("1", "SUCCESS"), _record("2", "IN_PROGRESS"), _record("9", "SUCCESS")]),
        _reply(_record("3", "MODAL")),
        _reply(_record("2", "FAILURE")),
    ]
    bridge = _bridge(kept, main=replies)
    for _ in "123":
        bridge.imagine("a lighthouse")
    bridge.fetch("main:1")
    assert [entry.status for entry in kept.all()] == ["processing", "pending", "pending"]
    bridge.fetch_many(["main:1", "main:2", "main:9"])
    assert [entry.status for entry in kept.all()] == ["completed", "processing", "pending"]
    assert bridge.wait("main:3").status is Status.NEEDS_INPUT
    assert [entry.ref for entry in kept.unsettled()] == ["main:2"]
    bridge.fetch("main:2")
    assert list(kept.unsettled()) == []


def test_a_task_that_is_settled_when_it_is_accepted_is_over(kept: Journal) -> None:
    _bridge(kept, main=[HttpResponse(200, b'{"code": 21, "description": "Waiting", "result": "7"}')]).imagine("a pig")
    assert lines(kept.all()) == [("main", "accepted", "needs_input", "7")]
    assert list(kept.unsettled()) == []


def test_a_journal_can_be_read_and_told_before_the_first_submit(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Journal(place)) as fresh:
        assert _bridge(fresh, main=[_reply(_record("7", "SUCCESS"))]).fetch("main:7").done
    with closing(Journal(place.with_name("another"))) as fresh:
        assert list(fresh.unsettled()) == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_closed_bridge_leaves_nothing_but_the_file(scripted: Callable[[Handler], Scripted], place: Path) -> None:
    """SQLite's other files go with the last connection."""
    with over_http(scripted(answering(reply(ACCEPTED))).url, place) as bridge:
        bridge.imagine("a lighthouse")
        assert len(list(place.parent.iterdir())) > 1
    assert list(place.parent.iterdir()) == [place]


def test_a_poll_that_tells_nothing_new_writes_nothing(
    kept: Journal, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So it needs no turn while another process writes."""
    bridge = _bridge(kept, main=[_accepted("1"), *[_reply(_record("1", "IN_PROGRESS"))] * 2])
    bridge.imagine("a lighthouse")
    bridge.fetch("main:1")
    with closing(sqlite3.connect(place)) as other:
        other.execute("begin immediate")
        bridge.fetch("main:1", timeout=0.5)
    assert "locked" not in caplog.text


def test_a_finished_task_is_never_opened_again_and_others_are_left_alone(kept: Journal) -> None:
    bridge = _bridge(kept, main=[_accepted("1")], spare=[])
    bridge.imagine("a lighthouse")
    for status, account in ((Status.COMPLETED, "spare"), (Status.COMPLETED, "main"), (Status.PROCESSING, "main")):
        kept.saw([Task(id="1", account=account, status=status)])
        assert [entry.settled for entry in kept.all()] == [account == "main"]


def test_one_task_of_two_submits_is_followed_for_both(kept: Journal) -> None:
    """Code 21 names a task that is there already."""
    bridge = _bridge(kept, main=[_accepted("1"), _reply(_record("1", "IN_PROGRESS")), _accepted("1")])
    bridge.imagine("a lighthouse")
    bridge.fetch("main:1")
    bridge.imagine("a lighthouse")
    assert [entry.status for entry in kept.all()] == ["processing", "pending"]
    kept.saw([Task(id="1", account="main", status=Status.PROCESSING)])
    assert [entry.status for entry in kept.all()] == ["processing", "processing"]


def test_many_tasks_are_more_than_one_statement_can_name(kept: Journal) -> None:
    bridge = _bridge(kept, main=[_accepted(str(number)) for number in range(3)])
    for _ in range(3):
        bridge.imagine("a lighthouse")
    kept.saw([Task(id=str(number), account="main", status=Status.COMPLETED) for number in range(1, 40_000)])
    assert [entry.task_id for entry in kept.unsettled()] == ["0"]


def test_a_doubt_can_be_dismissed_by_its_id_and_only_once(kept: Journal) -> None:
    with pytest.raises(SubmissionUnknown):
        _bridge(kept, main=[HttpResponse(502)]).imagine("a lighthouse")
    kept.dismiss("id-1")
    assert list(kept.unsettled()) == []
    assert [entry.outcome for entry in kept.all()] == ["dismissed"]
    for unknown in ("id-1", "id-2"):
        with pytest.raises(InvalidCommand, match=f"no unsettled submission '{unknown}'; it has: none$"):
            kept.dismiss(unknown)


def test_a_wrong_id_is_told_the_right_ones(kept: Journal) -> None:
    """It is no fault of the journal's place."""
    bridge = _bridge(kept, main=[_accepted(str(number)) for number in range(11)] + [HttpResponse(502)])
    for _ in range(11):
        bridge.imagine("a lighthouse")
    with pytest.raises(SubmissionUnknown):
        bridge.imagine("a lighthouse")
    with pytest.raises(InvalidCommand) as caught:
        kept.dismiss("main:1")
    said = str(caught.value)
    assert said.startswith("the journal has no unsettled submission 'main:1'; it has: id-1 (main:0), id-2 (main:1), ")
    assert said.endswith("id-10 (main:9) and 2 more")


# What it keeps.


class _Drawn(Command, frozen=True):
    prompt: str
    drawings: list[bytes]
    studies: tuple[bytes | bytearray | str, ...] = ()


def test_a_command_is_kept_without_its_pictures_and_without_the_key(kept: Journal) -> None:
    extra: dict[Any, Any] = {
        "notify": f"https://me.example/?key={KEY}",
        "image": "data:image/png;base64,AAAA",
        "half": "\ud800",
        "long": "x" * 10_001,
        "odd": slice(1),
        3: {1},
    }
    command = _Drawn(prompt="a lighthouse", drawings=[b"1234"], studies=(bytearray(b"12"), KEY), extra=extra)
    kept.submission("main", "mjproxy", command, lambda text: text.replace(KEY, "[key]")).intend()
    (entry,) = kept.all()
    assert (entry.id, entry.submitted_at.timestamp()) == ("id-1", 1000.0)
    assert (repr(entry.outcome), entry.settled) == (repr(Outcome.UNKNOWN), False)
    assert msgspec.json.decode(entry.command) == {
        "command": "_drawn",
        "prompt": "a lighthouse",
        "drawings": ["[4 bytes]"],
        "studies": ["[2 bytes]", "[key]"],
        "extra": {
            "notify": "https://me.example/?key=[key]",
            "image": "[26 characters]",
            "half": "?",
            "long": "[10001 characters]",
            "odd": "slice(None, 1, None)",
            "3": [1],
        },
    }
    assert KEY not in msgspec.json.encode(entry).decode()


def test_a_key_that_is_part_of_a_number_leaves_the_command_json(kept: Journal) -> None:
    kept.submission("main", "mjproxy", Upscale(task_id="7", index=1), lambda text: text.replace("1", "[key]")).intend()
    (entry,) = kept.all()
    assert msgspec.json.decode(entry.command) == {"command": "upscale", "task_id": "7", "index": 1}


def test_a_key_in_a_command_is_not_in_the_file(scripted: Callable[[Handler], Scripted], place: Path) -> None:
    with over_http(scripted(answering(reply(ACCEPTED))).url, place) as bridge:
        bridge.imagine("a lighthouse", extra={"notifyHook": f"https://me.example/{KEY}"})
    assert all(KEY.encode() not in path.read_bytes() for path in place.parent.iterdir())
    assert place.stat().st_size


def test_sqlite_writes_ahead_and_waits_for_the_disk(kept: Journal) -> None:
    with kept.engine.connect() as connection:
        modes = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]


@pytest.mark.parametrize("dialect", [postgresql.dialect(), mysql.dialect()])  # type: ignore[no-untyped-call]  # as SQLAlchemy has them
def test_other_databases_can_have_the_table(dialect: Any) -> None:
    written = str(CreateTable(submissions).compile(dialect=dialect))
    assert all(column.name in written for column in submissions.columns)


# What fails.


def test_a_journal_that_cannot_be_written_stops_the_submit(
    scripted: Callable[[Handler], Scripted], tmp_path: Path
) -> None:
    server = scripted(answering(reply(ACCEPTED)))
    with over_http(server.url, tmp_path / "missing" / "jobs.db") as bridge:
        with pytest.raises(JournalError, match=r"main \(mjproxy\) submit: .*jobs\.db.*unable to open") as caught:
            bridge.imagine("a lighthouse")
        assert caught.value.accepted == "no"
    assert server.requests == []


def test_two_that_make_the_table_at_the_same_moment_both_have_it(kept: Journal, place: Path) -> None:
    def overtake(*_: object, **__: object) -> None:
        with closing(sqlite3.connect(place)) as other:
            other.execute(str(CreateTable(submissions).compile(dialect=sqlite.dialect())))

    listen(submissions, "before_create", overtake, once=True)
    _bridge(kept, main=[_accepted("7")]).imagine("a lighthouse")
    assert lines(kept.all()) == [("main", "accepted", "pending", "7")]


def test_time_that_the_journal_takes_is_time_of_the_call(place: Path) -> None:
    """Another process may hold the file for half a minute."""
    clock = Clock()

    class Slow(Journal):
        def write(
            self, statement: Executable, rows: Sequence[Mapping[str, Any]] | None = None, *, patience: float = 0
        ) -> int:
            clock.sleep(20)
            return super().write(statement, rows, patience=patience)

    slow, transport = Slow(place), FakeTransport([_accepted("1")])
    account = {"provider": "mjproxy", "base_url": "http://main.example"}
    with Bridge(
        {"accounts": {"main": account}}, clock=clock, journal=slow, transport=lambda _, __: transport
    ) as bridge:
        with pytest.raises(Unavailable, match="no time"):
            bridge.imagine("a lighthouse", timeout=10)
        assert transport.requests == []
        assert [entry.outcome for entry in slow.all()] == ["refused"]
        bridge.imagine("a lighthouse", timeout=30)
        assert [request.timeout for request in transport.requests] == [10]


def test_another_that_writes_is_waited_for_no_longer_than_the_call_may_take(
    kept: Journal, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent meanwhile; and a task that was read is the caller's, whether the journal knows or not."""
    bridge = _bridge(kept, main=[_accepted("7"), _reply(_record("7", "SUCCESS"))])
    bridge.imagine("a lighthouse")
    other = sqlite3.connect(place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(JournalError, match="database is locked") as caught:
        bridge.imagine("a harbour", timeout=0.1)
    assert caught.value.accepted == "no"
    assert bridge.fetch("main:7", timeout=0.1).done
    assert time.monotonic() - began < SOON
    other.close()
    assert "does not know how 1 tasks stand now" in caplog.text


def test_it_stops_the_whole_route(kept: Journal) -> None:
    """Another account would be as unknown to the journal."""
    bridge = _bridge(kept, main=[_accepted("1"), _accepted("2")], spare=[])
    bridge.imagine("a lighthouse")
    _drop(kept)
    with pytest.raises(JournalError) as caught:
        bridge.imagine("a lighthouse")
    # SQLAlchemy's own words end with the statement and its values.
    assert "INSERT" not in caught.value.message


def test_an_outcome_that_cannot_be_written_loses_no_task(
    scripted: Callable[[Handler], Scripted], place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def spoil(connection: Connection) -> None:
        connection.request()
        with sqlite3.connect(place) as other:
            other.execute("alter table mjbridge_submissions rename to elsewhere")
        other.close()
        connection.send(reply(ACCEPTED))

    with over_http(scripted(spoil).url, place) as bridge:
        assert bridge.imagine("a lighthouse").ref == "main:7"
    assert "does not know that main:7 was accepted" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    with sqlite3.connect(place) as other:
        assert list(other.execute("select outcome from elsewhere")) == [("unknown",)]
    other.close()


def test_a_read_goes_on_without_the_journal(kept: Journal, caplog: pytest.LogCaptureFixture) -> None:
    bridge = _bridge(kept, main=[_accepted("7"), _reply(_record("7", "SUCCESS"))])
    bridge.imagine("a lighthouse")
    _drop(kept)
    assert bridge.fetch("main:7").done
    assert "does not know how 1 tasks stand now" in caplog.text


def _drop(kept: Journal) -> None:
    with kept.engine.begin() as connection:
        connection.exec_driver_sql("drop table mjbridge_submissions")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nosql://me:s3cret-word@host/name", "nosql"),
        ("postgres://me:s3cret-word@host/name", "it is written postgresql://"),
        ("sqlite+pysqlcipher://:s3cret-word@/name", "sqlcipher"),
        ("://me:s3cret-word@host", "neither a path nor an SQL URL"),
        ("postgresql://me:word@host:s3cret-word/name", "neither a path nor an SQL URL"),
        ("env:NO_SUCH_PLACE", "NO_SUCH_PLACE"),
    ],
)
def test_a_place_that_is_none_is_named_without_its_password(
    place: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_PLACE", raising=False)
    with pytest.raises(ConfigError, match=words) as caught:
        Bridge({"accounts": {}, "journal": place})
    assert "s3cret-word" not in f"{caught.value} {caught.value!r}"


def test_a_password_is_in_no_repr(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setenv("OWN_PLACE", f"sqlite:///{place}")
    bridge = Bridge({"accounts": {}, "journal": "env:OWN_PLACE"})
    assert repr(bridge.journal) == f"Journal('sqlite:///{place}')"
    monkeypatch.setenv("JOBS", f"sqlite:///file:{place}?uri=true&password=s3cret-word")
    shown = repr(Bridge({"journal": "env:JOBS"}).journal)
    assert place.name in shown
    assert "s3cret-word" not in shown
    assert "s3cret-word" not in repr(config.load({"journal": "postgresql://me:s3cret-word@host/name"}))


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mjbridge.journal")
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ConfigError, match=r"pip install 'mjbridge\[sql\]'"):
        Bridge({"accounts": {}, "journal": "jobs.db"})
