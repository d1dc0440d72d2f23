"""HTTP as data, and flows: a vendor's conversation as a generator that does no I/O."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec

from mjbridge.errors import InvalidCommand, MalformedReply, MJBridgeError

Result = TypeVar("Result")

JSON_LIMIT = 16 * 2**20
"""Bytes of a reply that hold JSON, at most."""
PICTURE_LIMIT = 64 * 2**20
"""Bytes of a picture, at most."""
VIDEO_LIMIT = 512 * 2**20
"""Bytes of a video clip, at most."""
_A_YEAR = 366 * 86_400.0


def is_http(url: str) -> bool:
    """Whether a text is an http or https address with a host."""
    try:
        parts = urlsplit(url)
        # Only asking for it tells whether the port is one.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class Attachment(msgspec.Struct, frozen=True):
    """A file in a form: the form's field, the file's name, its content type and content."""

    field: str
    file_name: str
    content_type: str
    content: bytes


class HttpRequest(msgspec.Struct, frozen=True):
    """A request to the vendor. `path` is relative to the account's base URL, its parts already quoted.

    An http(s) address for a path is a public file that the caller named: it is read without key or headers.
    `json` is the whole body, None for none; or it is a multipart form: the texts of `form`, the file of `attachment`.
    `submits` marks a request that may cost money: it is not replay-safe. `follows` marks a read that a redirect may
    answer: what is behind it is read like any public file. `limit` bounds the reply's body in bytes, `timeout` the
    whole exchange in seconds (None: as the transport has it).
    """

    method: str
    path: str
    json: Any = None
    headers: Mapping[str, str] = {}
    submits: bool = False
    follows: bool = False
    limit: int = JSON_LIMIT
    timeout: float | None = None
    attachment: Attachment | None = None
    form: Mapping[str, str] = {}

    @property
    def content(self) -> bytes:
        """The JSON body exactly as it is sent, which a vendor may want signed; `b""` for none, or for a form.

        `InvalidCommand` for what JSON cannot say.
        """
        try:
            return b"" if self.json is None else msgspec.json.encode(self.json)
        except (TypeError, ValueError) as error:
            raise InvalidCommand(f"the body cannot be written as JSON: {error}") from None

    def with_header(self, name: str, value: str) -> "HttpRequest":
        """The same request with one header more."""
        return msgspec.structs.replace(self, headers={**self.headers, name: value})

    def __repr__(self) -> str:
        # Headers hold the key and bodies hold pictures: neither belongs in a log.
        return f"HttpRequest({self.method} {self.path})"


_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class HttpResponse(msgspec.Struct, frozen=True):
    """A reply, whole. Header names are lower case; a `location` is absolute, whatever the vendor wrote."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}

    @property
    def ok(self) -> bool:
        """A 2xx status."""
        return 200 <= self.status < 300  # noqa: PLR2004 the range is HTTP's

    @property
    def redirect(self) -> str:
        """Where a redirect leads; `""` for any other reply."""
        return self.headers.get("location", "") if self.status in _REDIRECTS else ""

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; `MalformedReply` if it is something else."""
        if not self.body.strip():
            raise self.malformed("the reply is empty where JSON belongs")
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self.malformed("the reply is not JSON") from None

    def records(self) -> list[bytes]:
        """The items of a JSON array, each as it came; `MalformedReply` if it is something else."""
        try:
            return [bytes(item) for item in msgspec.json.decode(self.body, type=list[msgspec.Raw])]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self.malformed("the reply is not a JSON array") from None

    def malformed(self, message: str) -> MalformedReply:
        """An error that carries this reply."""
        return MalformedReply(message, http_status=self.status, body=self.text, accepted="maybe")

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, at most a year, as `Retry-After` says in either form; its date counts from `Date`."""
        value = self.headers.get("retry-after", "").strip()
        if not value:
            return None
        if value.isascii() and value.isdecimal():
            return min(float(value), _A_YEAR)
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 a rare form should not slow every import

        try:
            there = parsedate_to_datetime(value)
            now = parsedate_to_datetime(self.headers.get("date", ""))
            return min(max(0.0, (there - now).total_seconds()), _A_YEAR)
        except (ValueError, TypeError, OverflowError):
            return None


class Content(msgspec.Struct, frozen=True):
    """What is behind a link, on its way: its bytes from `start` on, of `size` in all (None where nobody tells).

    `tag` is the server's mark for this very content, `""` where it has none: only what is marked can be continued.
    """

    chunks: Iterator[bytes]
    start: int = 0
    size: int | None = None
    tag: str = ""


class Transport(Protocol):
    """What an account sends its requests over."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """The vendor's reply; `Unavailable` if there is none, its `accepted` telling whether the request had left."""
        ...

    def open(
        self, url: str, limit: int = PICTURE_LIMIT, start: int = 0, timeout: float | None = None
    ) -> AbstractContextManager[Content]:
        """What is behind a link, at most `limit` bytes, from byte `start` on where the server can. No key is sent.

        `timeout` bounds the whole of it in seconds (None: as the transport has it). `Unavailable` if there is nothing
        to be had, `MalformedReply` if it is too much.
        """
        ...

    def close(self) -> None:
        """Free the connections."""
        ...


Flow: TypeAlias = Generator[HttpRequest, HttpResponse, Result]
"""Yields requests, is sent their responses (or thrown their errors), returns the result."""


def run(flow: Flow[Result], send: Callable[[HttpRequest], HttpResponse]) -> Result:
    """Run a flow to its end over `send`. An `MJBridgeError` of `send` is thrown into the flow, which may answer it."""
    try:
        request = next(flow)
        while True:
            try:
                response = send(request)
            except MJBridgeError as error:
                request = flow.throw(error)
            else:
                request = flow.send(response)
    except StopIteration as stop:
        result: Result = stop.value
        return result
