"""What happens, as data: frozen events for a listener, and the same facts as log records.

Nothing that is secret gets in: no header, no body, no query, no key. A vendor's own words (`reason`, `value`) are cut
short, with the key blotted out where the vendor echoed it.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from mjbridge.errors import Accepted
from mjbridge.printing import printable
from mjbridge.task import Status

_log = logging.getLogger("mjbridge")


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Something that happened to an account's `operation` (`submit`, `fetch` ...); `time` is in epoch seconds."""

    logger: ClassVar[str]
    """The logger that is told, below `mjbridge`."""
    level: ClassVar[int] = logging.DEBUG
    said: ClassVar[str]
    """The log line, in the event's own fields."""

    account: str
    provider: str
    operation: str
    time: float


class RequestSent(Event, frozen=True, kw_only=True, tag="request_sent"):
    """A request leaves. `path` is relative to the base URL; `submits` marks the one that may cost money."""

    logger = "http"
    said = "sends {method} {path}"

    method: str
    path: str
    submits: bool = False


class ReplyReceived(Event, frozen=True, kw_only=True, tag="reply_received"):
    """A whole reply is there, after `seconds`; `size` is its body's, in bytes."""

    logger = "http"
    said = "{method} {path} is answered with HTTP {http_status}, {size} bytes, in {seconds:.3f} s"

    method: str
    path: str
    http_status: int
    seconds: float
    size: int


class AttemptFailed(Event, frozen=True, kw_only=True, tag="attempt_failed"):
    """A request, or what it was answered with, is an error. `category` is the error's class."""

    logger = "http"
    level = logging.INFO
    said = "{category}: {reason!r}"

    category: str
    reason: str
    http_status: int | None = None
    vendor_code: str = ""
    accepted: Accepted = "no"


class FellBack(Event, frozen=True, kw_only=True, tag="fell_back"):
    """The account did not take a command, and its `route` goes on to the next. `category` says why."""

    logger = "routing"
    level = logging.WARNING
    said = "{category}: the route {route} goes on to its next account"

    route: str
    category: str


class CooledDown(Event, frozen=True, kw_only=True, tag="cooled_down"):
    """The account is not asked for `seconds`. `category` and `reason` say why."""

    logger = "routing"
    level = logging.WARNING
    said = "is not asked for {seconds:.1f} s: {category}: {reason!r}"

    category: str
    reason: str
    seconds: float


class TaskUpdated(Event, frozen=True, kw_only=True, tag="task_updated"):
    """A task as the vendor has just told it."""

    logger = "tasks"
    said = "task {task_id} is {status}"

    task_id: str
    status: Status
    progress: int | None = None


class UnknownValue(Event, frozen=True, kw_only=True, tag="unknown_value"):
    """A task holds a `status` or `action` that this version of mjbridge has no word for."""

    logger = "tasks"
    level = logging.WARNING
    said = "task {task_id} has an unknown {field}: {value!r}"

    task_id: str
    field: str
    value: str


Listener: TypeAlias = Callable[[Event], object]
"""Called with each event, in the thread where it happens, before the work goes on: hand slow work to a thread."""

_LOGGERS: Final = {kind: logging.getLogger(f"mjbridge.{kind.logger}") for kind in Event.__subclasses__()}


class Events:
    """Tells a listener, and `logging`, what happens. `now` is in epoch seconds, `clock` in monotonic ones."""

    def __init__(
        self,
        listener: Listener | None = None,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self._listener = listener
        self._now = now

    def wanted(self, kind: type[Event]) -> bool:
        """Whether anybody hears of events of that kind; where nobody does, none has to be made."""
        return self._listener is not None or _LOGGERS[kind].isEnabledFor(kind.level)

    def tell(self, kind: type[Event], **facts: Any) -> None:
        """Make an event of its facts, all but its time, and tell it."""
        if not self.wanted(kind):
            return
        event = kind(time=self._now(), **facts)
        told = msgspec.to_builtins(event)
        line = f"{event.account} ({event.provider}) {event.operation}: {event.said.format_map(told)}"
        _LOGGERS[kind].log(event.level, "%s", printable(line), extra=told)
        if self._listener is not None:
            self._hear(self._listener, event)

    def _hear(self, listener: Listener, event: Event) -> None:
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 a listener's mistake must not cost a task that is paid for
            _log.warning("the listener of events failed on %s: %r", type(event).__name__, error, exc_info=True)


SILENT: Final = Events()
"""Tells `logging` alone."""
