"""The contract every provider keeps, ours or anybody's. None of it can be opted out of."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mjbridge
from mjbridge import errors, plugins, records
from mjbridge.commands import AnyCommand, Command, Imagine
from mjbridge.emulator import BannedPrompt, Emulator, FailTask, HttpFault, QueueFull
from mjbridge.errors import MalformedRecord, MJBridgeError, SubmissionUnknown, Unsupported
from mjbridge.fields import Record
from mjbridge.provider import API_VERSION, NO_MATCH, NO_SIGNS, Match, Provider
from mjbridge.task import Bot, Speed, Status, Task
from mjbridge.testing.cells import Cells
from mjbridge.testing.fake import FakeTransport
from mjbridge.testing.fixtures import Conversation, FixtureRequest, RecordCase, conversations, record_cases
from mjbridge.testing.stage import KEY, PROMPT, Clock, settled, story
from mjbridge.testing.wild import mutated
from mjbridge.wire import HttpRequest, HttpResponse

__all__ = ["Clock", "ProviderContract"]

# What each error of the simulator must still be after the server half has written it and the client half has read it.
_REFUSALS: Final[Sequence[MJBridgeError]] = (
    errors.ContentRejected("a banned word"),
    errors.InvalidCommand("a bad parameter"),
    errors.TaskNotFound("no such task"),
    errors.QuotaExceeded("no balance"),
    errors.AuthenticationError("a bad key"),
    errors.RateLimited("too fast", retry_after=7.0),
    errors.Unavailable("the queue is full"),
)

# What an imagine may say beside its prompt.
_SAID: Final[Mapping[str, Sequence[str]]] = {"speed": list(Speed), "bot": list(Bot), "state": ("order 17", "order 18")}

# By the money rules: these refuse with any body, and anything else that is not the vendor's own words proves nothing.
_PROOF: Final = {401: "AuthenticationError", 402: "QuotaExceeded", 403: "AuthenticationError", 429: "RateLimited"}
_NO_PROOF: Final = (
    HttpResponse(200, b"<html>welcome</html>"),
    HttpResponse(200, b""),
    HttpResponse(200, b"null"),
    HttpResponse(200, b'{"code": '),
    HttpResponse(200, b"{}"),
    HttpResponse(200, b"[]"),
    HttpResponse(301, b"", {"location": "https://elsewhere.example/"}),
    HttpResponse(500, b""),
    HttpResponse(502, b"<html>bad gateway</html>"),
    HttpResponse(504, b""),
    HttpResponse(524, b""),
    # What gateways before a vendor write.
    HttpResponse(500, b'{"status": 500, "error": "Internal Server Error", "path": "/"}'),
    HttpResponse(502, b'{"code": 502, "message": "Bad Gateway"}'),
    HttpResponse(504, b'{"code": 504, "msg": "upstream request timeout"}'),
    HttpResponse(504, b'{"error": {"code": "504", "message": "Gateway Timeout"}}'),
)


class ProviderContract(Cells):
    """Subclass it in a test module, name the provider, and point to its fixtures if it has any."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test a fixture."""
        folder = self.fixtures
        cases: dict[str, Callable[[Path], Sequence[Conversation | RecordCase]]] = {
            "conversation": conversations,
            "record_case": record_cases,
        }
        for name, load in cases.items():
            if name in metafunc.fixturenames:
                found: Sequence[Conversation | RecordCase] = load(folder) if folder else []
                metafunc.parametrize(name, found, ids=[case.name for case in found])

    # The plugin.

    def test_its_name_is_its_entry_point(self) -> None:
        """Loading by name gives the class that says that name."""
        provider = plugins.load(self.provider)
        assert (provider.name, provider.api_version) == (self.provider, API_VERSION)
        assert plugins.providers()[self.provider].fault == ""

    def test_importing_it_is_pure(self) -> None:
        """It imports no HTTP library and no provider but those it builds on."""
        loaded = plugins.load(self.provider)
        module = loaded.__module__.partition(".")[0]
        builds_on = {each.__module__.partition(".")[0] for each in loaded.__mro__}
        program = f"import sys, {module}; print(*sys.modules)"
        command = [sys.executable, "-c", program]
        modules = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split()
        providers = {point.value.partition(":")[0].partition(".")[0] for point in plugins.entry_points()}
        assert "requests" not in modules
        assert {each for each in modules if each in providers} <= builds_on | {module}

    # Fixtures.

    def test_it_has_fixtures_of_each_kind(self) -> None:
        """A folder that is named holds conversations and records: what no fixture shows is compared with no vendor."""
        if self.fixtures is None:
            return
        kinds = {"requests/*.json": conversations, "records/*.task.json": record_cases}
        missing = [pattern for pattern in kinds if not any(self.fixtures.glob(pattern))]
        assert not missing, (
            f"{self.fixtures} has no {' and no '.join(missing)}: write the vendor's own words there first"
        )

    def test_fixture_conversation(self, conversation: Conversation) -> None:
        """Whole requests are sent, and the reply becomes exactly the result or the error."""
        replies = (turn.reply.response() for turn in conversation.exchange)
        transport = FakeTransport(replies, conversation.pictures)
        account = self._account(transport, conversation.options)
        argument = conversation.argument
        if conversation.operation == "submit":
            argument = msgspec.convert(argument, AnyCommand)
        outcome: Any
        try:
            outcome = getattr(account, conversation.operation)(argument)
        except MJBridgeError as error:
            outcome = error
        assert [_whole(each) for each in transport.requests] == [_whole(turn.request) for turn in conversation.exchange]
        for request in transport.requests:
            assert _is_keyed(account.provider, request), f"no header of {request} comes of the key"
        _check_outcome(outcome, conversation)

    def test_fixture_record(self, record_case: RecordCase) -> None:
        """A record becomes exactly its task, from bytes, text and mapping alike, and keeps itself in `raw`."""
        provider = self._new()
        assert len(record_case.records) == len(record_case.tasks)
        for record, task in zip(record_case.records, record_case.tasks, strict=True):
            for form in (record, record.decode(), json.loads(record)):
                assert not _differences(provider.normalize(form), task), "by field: what it is, what it must be"
            assert bytes(provider.normalize(record).raw) == record, "raw is the record, as it came: fields.raw(record)"
            bare = provider.normalizer(keep_raw=False)(record)
            assert (bare, bytes(bare.raw)) == (task, b"")
            again = provider.normalize(provider.render(task))
            assert not _differences(again, task), "by field: what comes back of what render wrote, what it must be"
            assert mjbridge.detect(record) in self._own_names()

    # Normalization.

    @settings(
        deadline=None, max_examples=150, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow]
    )
    @given(data=st.data())
    def test_normalization_is_total(self, data: st.DataObject) -> None:
        """Whatever stands in a record, there is a task or `MalformedRecord`, the same from bytes as from a mapping."""
        record = data.draw(mutated(self._records()))
        provider = self._new()
        task = _task_or_none(provider, record)
        assert _task_or_none(provider, json.dumps(record).encode()) == task
        assert isinstance(provider.matches(record), Match), "detection asks matches of every record there is"
        if task is not None:
            assert msgspec.json.decode(task.to_json(), type=Task) == task
            once = provider.normalize(provider.render(task))
            assert provider.normalize(provider.render(once)) == once
            assert records.merge(task, once) == records.merge(once, task)

    @settings(
        deadline=None, max_examples=150, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow]
    )
    @given(data=st.data())
    def test_bytes_that_are_no_record_are_malformed(self, data: st.DataObject) -> None:
        """A record cut or overwritten anywhere is a task or `MalformedRecord`."""
        whole = json.dumps(data.draw(st.sampled_from(self._records()))).encode()
        place = data.draw(st.integers(0, len(whole)))
        _task_or_none(self._new(), whole[:place] + data.draw(st.binary(max_size=3)))
        _task_or_none(self._new(), whole[:place] + data.draw(st.binary(max_size=3)) + whole[place + 1 :])

    def test_what_is_known_at_sight_is_its_own(self) -> None:
        """A record that `recognizer` takes is one that `matches` knows, and becomes the task of `normalize`."""
        provider = self._new()
        recognize = provider.recognizer(NO_SIGNS) or _nobody
        for record in (json.dumps(each).encode() for each in self._records()):
            task = recognize(record)
            if task is not None:
                assert task == provider.normalize(record), "recognizer and normalize read it in two ways"
                assert provider.matches(json.loads(record)) != NO_MATCH, "recognizer takes it, and matches does not"

    # Both halves and the simulator.

    def test_a_finished_grid_is_whole(self) -> None:
        """Client half, server half, simulator and back: a picture, its singles, its buttons and its words."""
        clock, account, _ = self._emulated()
        grid = self._completed(account, clock, account.submit(Imagine(prompt=PROMPT)))
        assert (grid.provider, grid.action, grid.progress) == (self.provider, "imagine", 100)
        assert grid.prompt == PROMPT
        assert grid.image_url
        assert [task.id for task in account.fetch_many([grid.id])] == [grid.id]
        assert all(account.picture(url).startswith(b"\x89PNG") for url in (grid.image_url, *grid.image_urls))

    def test_a_task_on_its_way_shows_no_result(self) -> None:
        """Pending, then processing with rising progress; a preview is never a picture."""
        clock, account, _ = self._emulated()
        seen = list(story(account, clock, account.submit(Imagine(prompt=PROMPT))))
        assert not any(each.images or each.buttons for each in seen if not each.done)
        shares = [0 if each.progress is None else each.progress for each in seen]
        assert shares == sorted(shares)
        assert list(dict.fromkeys(each.status for each in seen)) == [
            Status.PENDING,
            Status.PROCESSING,
            Status.COMPLETED,
        ]

    def test_faults_of_the_vendor_keep_their_category(self) -> None:
        """A failed task, a banned prompt, a full queue and HTTP refusals are what the caller sees."""
        clock, account, emulator = self._emulated()
        emulator.faults.add(FailTask(reason="the moon was in the way"))
        failed = settled(account, clock, account.submit(Imagine(prompt=PROMPT)))
        assert (failed.status, failed.fail_reason) == (Status.FAILED, "the moon was in the way")
        for fault, category in (
            (BannedPrompt(word="lighthouse"), errors.ContentRejected),
            (QueueFull(), errors.Unavailable),
            (HttpFault(status=429, headers={"retry-after": "3"}), errors.RateLimited),
            (HttpFault(status=503), errors.Unavailable),
            (HttpFault(status=500), SubmissionUnknown),
        ):
            emulator.faults.add(fault)
            with pytest.raises(category):
                account.submit(Imagine(prompt=PROMPT))

    @pytest.mark.parametrize("refusal", _REFUSALS, ids=lambda error: type(error).__name__)
    def test_a_refusal_survives_both_halves(self, refusal: MJBridgeError) -> None:
        """`Provider.error` reads what the server half's `refuse` wrote, and takes it for proof."""
        provider = self._new()
        emulator = Emulator(provider)
        response = provider.server(emulator.simulator, emulator.public_url).refuse(refusal)
        error = provider.error(response)
        assert type(error) is type(refusal)
        assert error is not None
        assert (error.accepted, error.retry_after) == ("no", refusal.retry_after)

    # Honesty.

    @pytest.mark.parametrize(("field", "values"), _SAID.items(), ids=_SAID)
    def test_what_a_command_says_is_sent_or_refused(self, field: str, values: Sequence[str]) -> None:
        """Nothing is dropped in silence: two values make two requests, or raise `Unsupported` and ask nobody."""
        transport = FakeTransport()
        for value in values:
            try:
                self._send(msgspec.convert({"prompt": PROMPT, field: value}, Imagine), transport)
            except Unsupported as error:
                assert field in error.message
        sent = {(each.path, json.dumps(each.json, sort_keys=True)) for each in transport.requests}
        assert len(sent) == len(transport.requests)

    def test_extra_goes_into_the_body_last(self) -> None:
        """`extra` reaches the vendor as it is written, whatever the dialect models."""
        transport = FakeTransport()
        self._send(Imagine(prompt=PROMPT, extra={"of-the-callers-own": [1]}), transport)
        assert transport.requests[0].json["of-the-callers-own"] == [1]

    # Money.

    @pytest.mark.parametrize("response", _NO_PROOF, ids=lambda each: f"{each.status} {each.text[:12]}")
    def test_a_reply_that_proves_nothing_leaves_a_submit_in_doubt(self, response: HttpResponse) -> None:
        """`SubmissionUnknown`, after one request; a read of the same is an error that may be tried again."""
        transport = FakeTransport([response])
        with pytest.raises(SubmissionUnknown) as caught:
            self._account(transport).submit(Imagine(prompt=PROMPT))
        assert (caught.value.accepted, len(transport.requests)) == ("maybe", 1)
        with pytest.raises((errors.MalformedReply, errors.Unavailable)):
            self._account(FakeTransport([response])).fetch("1")

    @pytest.mark.parametrize("status", [*_PROOF, 503])
    def test_a_refusing_status_is_proof_with_any_body(self, status: int) -> None:
        """401, 402, 403, 429 and 503 say that nothing was accepted."""
        with pytest.raises(MJBridgeError) as caught:
            self._account(FakeTransport([HttpResponse(status, b"<html>no</html>")])).submit(Imagine(prompt=PROMPT))
        assert type(caught.value).__name__ == _PROOF.get(status, "Unavailable")
        assert (caught.value.accepted, caught.value.http_status) == ("no", status)

    def test_a_probe_is_a_free_read_that_tells_whether_the_key_works(self) -> None:
        """A vendor that has no such task knows the caller; one that refuses the key raises `AuthenticationError`."""
        _, account, _ = self._emulated()
        account.probe()
        transport = FakeTransport([HttpResponse(401)])
        with pytest.raises(errors.AuthenticationError):
            self._account(transport).probe()
        assert [request.submits for request in transport.requests] == [False]

    def test_an_unsupported_command_asks_nobody(self) -> None:
        """What `supports` does not list raises `Unsupported` before any request."""

        class Juggle(Command, frozen=True):
            """A command that no vendor has."""

        transport = FakeTransport()
        with pytest.raises(Unsupported, match="Juggle"):
            self._account(transport).submit(Juggle())
        assert transport.requests == []

    def test_the_error_table_is_complete(self) -> None:
        """Each row has a category of the family and a meaning."""
        for code, refusal in self._new().refusals.items():
            assert code == code.strip()
            assert issubclass(refusal.category, MJBridgeError)
            assert refusal.meaning

    # What the tests are made of.

    def _send(self, command: Command, transport: FakeTransport) -> None:
        """Run the flow of a submit up to its request."""
        transport.requests.extend(itertools.islice(self._new().submit(command), 1))

    def _records(self) -> list[dict[str, Any]]:
        """Records to start from: those of the fixtures, or else what the server half writes."""
        return _written(self.fixtures) or list(self._rendered())

    def _rendered(self) -> Iterator[dict[str, Any]]:
        clock, account, emulator = self._emulated()
        task = account.submit(Imagine(prompt=PROMPT))
        for _ in range(4):
            yield account.provider.render(emulator.simulator.fetch(task.id))
            clock.sleep(2.0)

    def _own_names(self) -> set[str | None]:
        """The answers of `detect` that are no guess: this provider, one that it builds on, or none."""
        bases = plugins.load(self.provider).__mro__
        families = {each.__module__.partition(".")[0] for each in bases}
        names = [point.name for point in plugins.entry_points() if re.split(r"[.:]", point.value)[0] in families]
        return {*names, None}


@cache
def _written(folder: Path | None) -> list[dict[str, Any]]:
    cases = record_cases(folder) if folder else []
    return [json.loads(record) for case in cases for record in case.records]


def _nobody(record: Record) -> None:
    del record


def _whole(request: HttpRequest | FixtureRequest) -> tuple[object, ...]:
    return request.method, request.path, request.json, request.attachment, request.form


def _is_keyed(provider: Provider, request: HttpRequest) -> bool:
    """Whether the key, or what is signed with it, is among the headers."""
    bare = msgspec.structs.replace(request, headers={})
    signed, other = (dict(provider.authorize(bare, key).headers) for key in (KEY, "another"))
    return signed != other and signed.items() <= dict(request.headers).items()


def _check_outcome(outcome: Any, conversation: Conversation) -> None:
    expected = conversation.error
    if expected is not None:
        assert isinstance(outcome, MJBridgeError), outcome
        seen = {name: getattr(outcome, name) for name in expected.__struct_fields__ if name != "category"}
        assert {"category": type(outcome).__name__, **seen} == msgspec.to_builtins(expected)
        assert KEY not in f"{outcome} {outcome!r} {outcome.body}"
        return
    assert not isinstance(outcome, MJBridgeError), str(outcome)
    if isinstance(outcome, Task):
        must_be = msgspec.json.decode(conversation.result, type=Task)
        assert not _differences(msgspec.structs.replace(outcome, account=""), must_be), (
            "by field: what it is, what it must be"
        )
        assert outcome.account == "contract"
        whole = conversation.exchange[-1].reply.response().body
        assert bytes(outcome.raw) == whole, "raw is the whole reply, its envelope too: fields.raw(reply.body)"
    elif isinstance(outcome, list):
        tasks = [msgspec.structs.replace(each, account="") for each in cast("list[Task]", outcome)]
        assert tasks == msgspec.json.decode(conversation.result, type=list[Task])
    else:
        text = outcome.decode() if isinstance(outcome, bytes) else outcome
        assert text == msgspec.json.decode(conversation.result)


def _differences(found: Task, expected: Task) -> dict[str, tuple[object, object]]:
    """What two tasks differ in."""
    both = {name: (getattr(found, name), getattr(expected, name)) for name in Task.__struct_fields__ if name != "raw"}
    return {name: values for name, values in both.items() if values[0] != values[1]}


def _task_or_none(provider: Provider, record: bytes | dict[str, Any]) -> Task | None:
    try:
        return provider.normalize(record)
    except MalformedRecord as error:
        assert error.path.startswith("$")
        return None
