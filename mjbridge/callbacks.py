"""Callbacks: what a vendor posts when a task goes on, read, and folded into what is known of the task.

No vendor signs its callbacks, so a secret stands in the path of the address that the vendor is given: as `notifyHook`
in the MJ-proxy family, as `webhook`, behind which it puts `/callback`, at APIMart.
"""

import hmac
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator, Iterator, MutableMapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec

from mjbridge import fields, records
from mjbridge.account import Account
from mjbridge.errors import ConfigError, MalformedRecord
from mjbridge.records.streams import Reject
from mjbridge.task import NO_RAW, Task

if TYPE_CHECKING:
    from asyncio import Future
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from mjbridge.bridge import Bridge

_log = logging.getLogger("mjbridge")

LIMIT: Final = 4 * 2**20
"""Bytes of a callback, at most. Some vendors repeat the mask of an inpaint in it."""
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{16,}")
_MOST_KNOWN: Final = 10_000

Known: TypeAlias = MutableMapping[str, Task]
"""What is known of tasks, by their refs: any mapping will do, one on a disk or in a database too."""
OnNews: TypeAlias = Callable[[Task], object]
"""What an application does with news of a task. If it raises, the news is news again when the vendor repeats it."""


class Recent(MutableMapping[str, Task]):
    """The tasks heard of last, in memory; of more than `most` the longest silent one is forgotten."""

    def __init__(self, most: int = _MOST_KNOWN) -> None:
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._most = most

    def __getitem__(self, ref: str) -> Task:
        return self._tasks[ref]

    def __setitem__(self, ref: str, task: Task) -> None:
        self._tasks[ref] = msgspec.structs.replace(task, raw=NO_RAW)
        self._tasks.move_to_end(ref)
        while len(self._tasks) > self._most:
            self._tasks.popitem(last=False)

    def __delitem__(self, ref: str) -> None:
        del self._tasks[ref]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


class News(NamedTuple):
    """A task as it is known now, and what was known of it before."""

    task: Task
    before: Task | None


class Inbox:
    """Reads callbacks, and remembers in `known` what they told. Thread-safe."""

    def __init__(self) -> None:
        self._recent = Recent()
        self._lock = threading.Lock()

    def receive(self, body: bytes | str, account: Account, known: Known | None = None) -> News | None:
        """The task's news; None if the callback is none: a repeat, or of a moment long past.

        Raises `MalformedRecord` for what is no record of one task.
        """
        known = self._recent if known is None else known
        try:
            told = msgspec.structs.replace(read(body, account.provider.name), account=account.name)
        except MalformedRecord as error:
            account.own(error, "callback")
            raise
        with self._lock:
            before = known.get(told.ref)
            now = records.merge(before, told) if before else told
            if now != before:
                known[told.ref] = now
        if before and (now == before or records.is_behind(told, before)):
            return None
        account.heard(now)
        return News(now, before)

    def forget(self, news: News, known: Known) -> None:
        """Put back what was known before, unless later news has come meanwhile: that was told by itself."""
        ref = news.task.ref
        with self._lock:
            if known.get(ref) != news.task:
                return
            if news.before:
                known[ref] = news.before
            else:
                del known[ref]


def read(body: bytes | str, provider: str) -> Task:
    """The task of a callback: a record, or one with a vendor's wrapping or list around it. `MalformedRecord` if not."""
    if len(body) > LIMIT:
        raise MalformedRecord(f"a callback of {len(body)} bytes: more than {LIMIT} are not read")
    # As one record, not as a file: what a stranger posts is not decompressed.
    found = list(records.read([body], provider))
    if len(found) != 1:
        raise MalformedRecord(f"a callback is about one task, and this one holds {len(found)} records")
    if isinstance(found[0], Reject):
        # The account will tell its provider.
        raise MalformedRecord(found[0].reason.removeprefix(f"({provider}): "))
    return found[0]


def wsgi(bridge: "Bridge", account: str, secret: str, on_news: OnNews, known: Known | None = None) -> "WSGIApplication":
    """Receives the callbacks of an account's vendor as a WSGI application, to mount on any server.

    It answers a POST to a path of which `secret` is a part, 204 once `on_news` is done, 400 to what is no task record;
    404, 405 and 413 to the rest. `on_news` is not called for repeats and old news. `ConfigError` for a secret that is
    too short, and for an account that cannot be used.
    """
    receiver = _Receiver(bridge, account, secret, known)

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        status = receiver.refusal(environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1"))
        if status is None:
            status, news = receiver.read(environ["wsgi.input"].read(_length(environ)))
            if news:
                with receiver.keeping(news):
                    on_news(news.task)
        start_response(f"{status.value} {status.phrase}", [*_headers(status).items()])
        return []

    return answer


def _length(environ: "WSGIEnvironment") -> int:
    """How much of a request's body is to be read: all of it, or enough to see that it is too long."""
    # A body in chunks tells no length, but on such a server it ends.
    unknown = LIMIT + 1 if environ.get("wsgi.input_terminated") else 0
    told = fields.whole(environ.get("CONTENT_LENGTH"))
    return unknown if told is None else max(0, min(told, LIMIT + 1))


Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
ASGIApplication: TypeAlias = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


def asgi(bridge: "Bridge", account: str, secret: str, on_news: OnNews, known: Known | None = None) -> ASGIApplication:
    """`wsgi` as an ASGI application, for servers on asyncio. A callback is read, and a journal told, in a thread.

    `on_news` may be a coroutine function; one that is not should not take long.
    """
    receiver = _Receiver(bridge, account, secret, known)

    async def answer(
        scope: Scope, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            raise ConfigError(f"callbacks come over http, not over {scope['type']}")
        status = receiver.refusal(scope["method"], scope["path"].encode("utf-8", "surrogateescape"))
        if status is None:
            status, news = await receiver.read_aside(await _body(receive))
            if news:
                with receiver.keeping(news):
                    done = on_news(news.task)
                    if isinstance(done, Awaitable):
                        await done
        headers = [(name.lower().encode(), value.encode()) for name, value in _headers(status).items()]
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return answer


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    """The request's body, no further than is needed to see that it is too long."""
    body, more = b"", True
    while more and len(body) <= LIMIT:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


class _Receiver:
    """What both adapters do: a request's method, path and body become a status and, maybe, news."""

    def __init__(self, bridge: "Bridge", account: str, secret: str, known: Known | None) -> None:
        if not _SECRET.fullmatch(secret):
            raise ConfigError(
                "the secret of a callback's address is at least 16 letters, digits, - and _, "
                "as secrets.token_urlsafe() makes them"
            )
        # An account that cannot be used is told of here, not to each callback of its vendor.
        self._account = bridge.account(account)
        self._inbox = bridge.inbox
        self._secret = secret.encode()
        self._known = Recent() if known is None else known

    def refusal(self, method: str, path: bytes) -> HTTPStatus | None:
        """Why a request's body is not even read."""
        # Every part is compared, and each in the same time, so that the time tells nothing of the secret.
        found = [hmac.compare_digest(part, self._secret) for part in path.split(b"/")]
        if not any(found):
            return HTTPStatus.NOT_FOUND
        return None if method == "POST" else HTTPStatus.METHOD_NOT_ALLOWED

    def read(self, body: bytes) -> tuple[HTTPStatus, News | None]:
        """The reply to a body, and the news if it is any."""
        if len(body) > LIMIT:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None
        try:
            return HTTPStatus.NO_CONTENT, self._inbox.receive(body, self._account, self._known)
        except MalformedRecord as error:
            _log.warning("a callback is refused: %s", error)
            return HTTPStatus.BAD_REQUEST, None

    async def read_aside(self, body: bytes) -> tuple[HTTPStatus, News | None]:
        """`read` in a thread: a journal may have to wait for another process, and nobody else is to wait with it."""
        import asyncio  # noqa: PLC0415 `import mjbridge` has a budget of modules, and who serves ASGI has loaded it

        reading = asyncio.ensure_future(asyncio.to_thread(self.read, body))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            reading.add_done_callback(self._drop)
            raise

    def _drop(self, reading: "Future[tuple[HTTPStatus, News | None]]") -> None:
        """What was read for a call that is gone, and is told to nobody, shall be news again."""
        _, news = reading.result()
        if news:
            self._inbox.forget(news, self._known)

    @contextmanager
    def keeping(self, news: News) -> Generator[None, None, None]:
        """If the application fails at the news, the vendor's next try shall be news again."""
        try:
            yield
        except BaseException:
            self._inbox.forget(news, self._known)
            raise


def _headers(status: HTTPStatus) -> dict[str, str]:
    allow = {"Allow": "POST"} if status is HTTPStatus.METHOD_NOT_ALLOWED else {}
    length = {} if status is HTTPStatus.NO_CONTENT else {"Content-Length": "0"}
    return {**allow, **length}
