"""What the tests over real sockets share: one call, what a vendor answers to it, and what comes of it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
import pytest

from mjbridge import (
    Bridge,
    MJBridgeError,
    Status,
    Task,
    plugins,
)
from tests.servers import Connection, Handler, Scripted, reply

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

PROVIDERS: Final = ("apimart", "cometapi", "mjproxy", "octopusx")
KEY: Final = "sk-secret-0123456789abcdefghijklmnopqrstuv"
REF: Final = "a:1730621826053455"
PNG: Final = b"\x89PNG\r\n\x1a\n and the rest of a picture"

HTML: Final = b"<html><body><h1>Some proxy's page</h1></body></html>"
REFUSAL: Final = b'{"error": {"message": "the vendor says no", "type": "some_error", "code": ""}}'
"""An error object that every one of the four dialects knows for its own, with a code that none of them does."""


SELF_HOSTED: Final = "http://127.0.0.1:9"
"""The base URL of an account of this very machine: only such an account's links may lead to it."""

BRIEF: Final = 0.1
"""A time-out, in seconds, of a test that waits for it."""

PATIENT: Final = {"connect_timeout": 30, "read_timeout": 30}
"""The time-outs of an account in a test that waits for none."""

SOON: Final = 20.0
"""Seconds in which what ends after `BRIEF` has ended on any machine, and what goes on without end has not."""

ENDLESS: Final = 5000
"""So many drops, one each fifth of `BRIEF`, are no matter of time-outs: they fall for minutes."""


class OpenBridge(Protocol):
    """Builds a bridge with one account, `a`."""

    def __call__(self, provider: str = "mjproxy", url: str = SELF_HOSTED, **settings: Any) -> Bridge: ...


StartServer = Callable[[Handler], Scripted]
StartApplication = Callable[["WSGIApplication"], str]


def submit(bridge: Bridge) -> Task:
    return bridge.imagine("a lighthouse at dusk", route="a")


def fetch(bridge: Bridge) -> Task:
    """One try: what a single answer means. `Bridge.fetch` would try again."""
    return bridge.account("a").fetch(REF.partition(":")[2])


OPERATIONS: Final = (fetch, submit)
Operation = Callable[[Bridge], Task]


def failure(operation: Operation, bridge: Bridge) -> MJBridgeError:
    with pytest.raises(MJBridgeError) as caught:
        operation(bridge)
    return caught.value


def task_reply(provider: str) -> bytes:
    """A completed task, as the vendor writes it."""
    task = Task(id=REF.partition(":")[2], status=Status.COMPLETED, progress=100)
    return reply(msgspec.json.encode(plugins.load(provider)().render(task)))


def submit_reply(provider: str) -> bytes:
    """An accepted submit, as the vendor writes it."""
    if provider == "apimart":
        return reply(b'{"code": 200, "data": [{"status": "submitted", "task_id": "task_01K8SGYNNNVBQTXNR4MM964S7K"}]}')
    return reply(b'{"code": 1, "description": "Submit success", "result": "1730621826053455", "properties": {}}')


def silent(connection: Connection) -> None:
    """Read the request and never answer."""
    connection.request()
    connection.hold()


def resetting(connection: Connection) -> None:
    """Read the request and break the connection."""
    connection.request()
    connection.reset()


def once(answer: bytes) -> Handler:
    """Read the request, answer with these bytes, and close."""

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(answer)

    return handle


SILENCES: Final[dict[str, Handler]] = {"silence": silent, "reset": resetting, "closed": once(b"")}
CUTS: Final = {
    "head": b"HTTP/1.1 200 OK\r\nContent-",
    "body": reply(b'{"code": 1,', headers={"Content-Length": "1000"}),
    "chunk": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"code": 1,',
    "last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "no gzip": reply(b'{"code": 1}', headers={"Content-Encoding": "gzip"}),
    "many headers": reply(b"{}", headers={f"X-{number}": "" for number in range(200)}),
    "two lengths": reply(b"{}", headers={"Content-Length": "2\r\nContent-Length: 3"}),
}


FOREIGN: Final = {
    "html": HTML,
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "truncated": b'{"code": 1, "result": "17306',
    "other object": b'{"hello": "world"}',
    "number": b"42",
    "text": b'"ok"',
    "list": b"[]",
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "deep": b"[" * 100_000,
}
