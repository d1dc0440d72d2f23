"""What a provider's author is given: the defaults of the contract, and the helpers of both halves."""

from collections.abc import Callable
from typing import Any

import pytest

from mjbridge import (
    Certainty,
    HttpRequest,
    Imagine,
    MalformedRecord,
    Provider,
    RateLimited,
    Task,
    TaskNotFound,
    Unsupported,
    fields,
    plugins,
)
from mjbridge.emulator import Emulator
from mjbridge.fields import Record
from mjbridge.provider import Signs
from mjbridge.serving import DialectServer, refusing
from mjbridge.wire import Flow, HttpResponse, run


class Bare(Provider):
    """A provider that writes next to nothing."""

    name = "bare"
    api_version = 1
    base_url = None
    signs = Signs(keys=("BareRef",), ids=("bare-",))

    def fetch(self, task_id: str) -> Flow[Task]:
        """Knows the tasks whose id begins with `bare-`."""
        reply = yield HttpRequest("GET", f"/{task_id}")
        if not task_id.startswith("bare-"):
            raise TaskNotFound(f"no {task_id}")
        return Task(id=task_id, vendor_status=reply.text)


def _answer(_: HttpRequest) -> HttpResponse:
    return HttpResponse(200, b"here")


def test_many_tasks_are_fetched_one_by_one_without_those_that_are_gone() -> None:
    found = run(Bare().fetch_many(["bare-1", "2", "bare-3"]), _answer)
    assert [task.id for task in found] == ["bare-1", "bare-3"]


def test_what_is_not_written_is_unsupported_and_asks_nobody() -> None:
    provider = Bare()
    asked: list[Callable[[], object]] = [
        lambda: next(provider.submit(Imagine(prompt="a"))),
        lambda: provider.request(Imagine(prompt="a")),
        lambda: provider.accepted(Imagine(prompt="a"), HttpResponse(200)),
        lambda: provider.seed("1"),
        lambda: provider.image("1"),
        lambda: provider.normalize({}),
        lambda: provider.render(Task(id="1")),
        lambda: Emulator(provider),
    ]
    for ask in asked:
        with pytest.raises(Unsupported, match="bare has no"):
            ask()


def test_the_first_field_that_cannot_be_said_is_refused_by_name_with_a_way_round() -> None:
    with pytest.raises(Unsupported, match="bare has no state on Imagine: use extra"):
        Bare().refuse_fields(Imagine(prompt="a", state="s", bot="niji"), "state", "bot", way_round="use extra")
    Bare().refuse_fields(Imagine(prompt="a"), "state", "bot", "index")


@pytest.mark.parametrize(
    ("reason", "is_the_commands"),
    [
        ("upstream code=4: version 9.9", True),
        ("upstream code=9: try later", False),
        ("upstream code=429: try later", False),
        ("No available upstream", False),
        ("Banned prompt detected", True),
        (None, False),
    ],
)
def test_a_task_that_apimarts_engine_failed_for_a_parameter_would_fail_anywhere(
    reason: str | None, is_the_commands: bool
) -> None:
    """A bad `version` is accepted, and only the failed task tells of it."""
    assert plugins.load("apimart")().blames_command(Task(id="1", fail_reason=reason)) is is_the_commands


@pytest.mark.parametrize(
    ("record", "reason"),
    [({"BareRef": 1}, "the key BareRef"), ({"id": "bare-7"}, "an id of its form"), ({"id": 7}, ""), ({}, "")],
)
def test_signs_alone_tell_whose_a_record_is(record: dict[str, Any], reason: str) -> None:
    match = Bare().matches(record)
    assert match.reason == reason
    assert match.certainty is (Certainty.CERTAIN if reason else Certainty.NONE)


def test_a_refusal_says_when_to_come_back() -> None:
    reply = refusing(RateLimited("slow", retry_after=1.5), {"error": 1}, 429)
    assert (reply.status, reply.body, reply.retry_after) == (429, b'{"error":1}', 2.0)


def test_a_dialect_server_matches_the_path_and_reads_the_query() -> None:
    class Server(DialectServer):
        def found(self, request: HttpRequest, part: str) -> HttpResponse:
            return HttpResponse(200, f"{part} {self.parameters(request)}".encode())

        routes = (("GET", r"/a/(?P<part>\w+)", found),)

        def refuse(self, error: Any) -> HttpResponse:
            return HttpResponse(404, str(error.message).encode())

    emulator = Emulator(plugins.load("mjproxy")())
    server = Server(Bare(), emulator.simulator, emulator.public_url)
    assert server.handle(HttpRequest("GET", "/a/b?Ref=x%2Fy")).text == "b {'Ref': 'x/y'}"
    assert server.handle(HttpRequest("POST", "/a/b")).status == 404


class Mistaken(Bare):
    """It stumbles over one record, and has no task of another."""

    def normalize(self, record: Record) -> Any:
        """A task of a record that has a number."""
        told = fields.decode(record)
        return None if told.get("gone") else Task(id=str(told["number"]), raw=fields.raw(record))


@pytest.mark.parametrize(
    ("record", "fault"),
    [(b"{}", r"KeyError\('number'\) at .*test_provider.py:\d+"), (b'{"gone": true}', "NoneType where Task belongs")],
)
def test_a_record_at_which_a_plugin_fails_is_a_reject_that_says_where(record: bytes, fault: str) -> None:
    """A file of a thousand records is not lost for one that a plugin was not made for."""
    for keep_raw in (True, False):
        read = Mistaken().normalizer(keep_raw=keep_raw)
        assert read(b'{"number": 1}').id == "1"
        with pytest.raises(MalformedRecord, match=fault) as caught:
            read(record)
        assert caught.value.provider == "bare"
