"""A transport that answers from a script and remembers what it was asked."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager

from mjbridge.errors import MJBridgeError
from mjbridge.wire import PICTURE_LIMIT, Content, HttpRequest, HttpResponse


class FakeTransport:
    """Gives `replies` one after another; an error among them is raised. `requests` are those sent so far.

    `pictures` are the contents behind addresses. A request beyond the script is an `AssertionError`.
    """

    def __init__(
        self, replies: Iterable[HttpResponse | MJBridgeError] = (), pictures: Mapping[str, bytes] | None = None
    ) -> None:
        self.requests: list[HttpRequest] = []
        self._replies = list(replies)
        self._pictures = dict(pictures or {})

    def send(self, request: HttpRequest) -> HttpResponse:
        """The next reply of the script."""
        self.requests.append(request)
        if not self._replies:
            raise AssertionError(f"the script has no reply to {request}")
        reply = self._replies.pop(0)
        if isinstance(reply, MJBridgeError):
            raise reply
        return reply

    @contextmanager
    def open(
        self, url: str, limit: int = PICTURE_LIMIT, start: int = 0, timeout: float | None = None
    ) -> Generator[Content, None, None]:
        """The content behind an address of the script, always whole."""
        yield Content(iter([self._pictures[url]]), size=len(self._pictures[url]))

    def close(self) -> None:
        """Nothing to free."""
