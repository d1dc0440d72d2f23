"""One flow of a provider, run against its vendor: what is sent, how long it may take, what its failure means."""

import math
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import msgspec

from mjbridge import printing, wire
from mjbridge.errors import MalformedRecord, MJBridgeError, PluginError, SubmissionUnknown, Unavailable
from mjbridge.events import Events, ReplyReceived, RequestSent
from mjbridge.limits import Limits
from mjbridge.provider import Provider
from mjbridge.timing import Deadline
from mjbridge.wire import Flow, HttpRequest, HttpResponse, Transport, is_http

Result = TypeVar("Result")


class Conversation:
    """One run of a flow. Remembers whether a submit left that nobody refused, and the reply that came last.

    `asked` tells whether anything was sent, or tried to be; `before_submit` is called before a submit
    leaves, with the seconds that it may take.
    """

    def __init__(
        self,
        provider: Provider,
        transport: Transport,
        key: str,
        limits: Limits,
        deadline: Deadline,
        events: Events,
        happened: Callable[..., None],
        *,
        buys: bool,
    ) -> None:
        self.asked = False
        self.before_submit: Callable[[float], None] | None = None
        self._provider = provider
        self._transport = transport
        self._key = key
        self._limits = limits
        self._deadline = deadline
        self._events = events
        self._happened = happened
        self._buys = buys
        self._last: HttpResponse | None = None
        self._in_doubt = self._sending = False

    def run(self, start: Callable[[], Flow[Result]]) -> Result:
        """The result of the flow that `start` begins; an error is raised as the caller is to see it."""
        with self._mistakes_told():
            try:
                return wire.run(start(), self._send)
            except MJBridgeError as error:
                outcome = self._outcome(error)
                raise outcome from (None if outcome is error else error)

    def begin(self, start: Callable[[], Flow[Any]]) -> None:
        """Run the flow up to its first request, which is not sent."""
        with self._mistakes_told(), closing(start()) as flow:
            next(flow, None)

    @contextmanager
    def _mistakes_told(self) -> Generator[None, None, None]:
        """A plugin's own mistake inside is an error of the family. What a transport raises stays what it is."""
        try:
            yield
        except MJBridgeError:
            raise
        except Exception as error:
            if self._sending:
                raise
            told = f"the provider failed: {printing.raised(error)}"
            # A plugin's mistake about the answer is no word of the vendor's about the task.
            raise (self._unknown(told) if self._in_doubt else PluginError(told)) from error

    def _send(self, request: HttpRequest) -> HttpResponse:
        """The vendor's reply, unless it stands for an error."""
        try:
            return self._reply(request)
        except MJBridgeError as error:
            self._sending = False
            if request.submits and error.accepted == "no":
                self._in_doubt = False
            raise

    def _reply(self, request: HttpRequest) -> HttpResponse:
        if is_http(request.path):
            return self._public(request.path, request.limit)
        self._limits.rate.wait(self._deadline)
        left = self._left()
        if request.submits and self.before_submit:
            self.before_submit(self._deadline.left)
            # It may have waited for another process that writes.
            left = self._left()
        self.asked = True
        request = self._provider.authorize(request, self._key) if self._key else request
        # Every request passes here, and none may last longer than the call that it belongs to.
        timely = request if left is None else msgspec.structs.replace(request, timeout=left)
        self._in_doubt = self._in_doubt or request.submits
        self._sending = True
        self._last = response = self._exchange(timely)
        self._sending = False
        if request.follows and response.redirect:
            return self._public(response.redirect, request.limit)
        error = self._provider.error(response)
        if error is not None:
            raise error
        return response

    def _public(self, url: str, limit: int) -> HttpResponse:
        """What is behind a public address; no key goes there."""
        left = self._left()
        self._sending = True
        with self._transport.open(url, limit, timeout=left) as content:
            response = HttpResponse(200, b"".join(content.chunks))
        self._sending = False
        return response

    def _left(self) -> float | None:
        """Seconds that a request may take, None for any number; `Unavailable` if there are none left."""
        left = self._deadline.left
        if not left:
            raise Unavailable("the time-out left no time for a request")
        return None if left == math.inf else left

    def _exchange(self, request: HttpRequest) -> HttpResponse:
        """The reply, told like the request where anybody hears of it."""
        if not self._events.wanted(RequestSent):
            return self._transport.send(request)
        where = {"method": request.method, "path": request.path.partition("?")[0]}
        self._happened(RequestSent, **where, submits=request.submits)
        started = self._events.clock()
        response = self._transport.send(request)
        self._happened(
            ReplyReceived,
            **where,
            http_status=response.status,
            seconds=self._events.clock() - started,
            size=len(response.body),
        )
        return response

    def _outcome(self, error: MJBridgeError) -> MJBridgeError:
        """The error as the caller is to see it."""
        if self._in_doubt:
            return self._unknown(error.message, http_status=error.http_status, vendor_code=error.vendor_code)
        if isinstance(error, MalformedRecord) and self._last is not None:
            error = self._last.malformed(f"the reply is not a task: {error.message} (at {error.path})")
        if self._buys:
            # What was read or uploaded for a submit that never left, and how that failed, is no matter.
            error.accepted = "no"
        return error

    def _unknown(self, message: str, **facts: Any) -> SubmissionUnknown:
        """The error of a submit that may have been accepted."""
        return SubmissionUnknown(message, body=self._last.text if self._last else "", accepted="maybe", **facts)
