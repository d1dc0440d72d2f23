"""What one account may do at this moment: how fast, how much at once, and whether it is cooling down.

The state belongs to the account: all routes and all threads of a bridge share it. Times are monotonic seconds.
"""

import threading
from collections.abc import Callable
from typing import Final

from mjbridge.errors import MJBridgeError, RateLimited
from mjbridge.timing import REAL_TIME, Deadline, Timing

LONGEST_COOL_DOWN: Final = 600.0
"""Seconds at which a growing cool-down stops growing, unless it began longer."""
LONGEST_RETRY_AFTER: Final = 3600.0
"""Seconds of a vendor's `Retry-After` that are believed."""
LONGEST_TASK: Final = 3600.0
"""Seconds after which a task counts no longer as in flight: by then every vendor has given it up."""


class Rate:
    """Requests per second: a token bucket that holds one, so that no second ever sees more."""

    def __init__(self, most: float | None, timing: Timing) -> None:
        self._gap = 1 / most if most else 0.0
        self._timing = timing
        self._next = -float("inf")
        self._lock = threading.Lock()

    def wait(self, deadline: Deadline) -> None:
        """Sleep until the next request may leave; `RateLimited` at once if that is after the deadline."""
        if not self._gap:
            return
        with self._lock:
            now = self._timing.clock()
            turn = max(now, self._next)
            if turn - now > deadline.left:
                raise RateLimited("max_rate leaves no turn within the time-out", retry_after=turn - now)
            self._next = turn + self._gap
        if turn > now:
            self._timing.sleep(turn - now)


class InFlight:
    """The tasks that were accepted and not seen settled, and the submits on their way. At most `most`, if any."""

    def __init__(self, most: int | None, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._submits: dict[object, set[str]] = {}
        """Each with the tasks that settled since: a callback may be faster than the answer that names its task."""
        self._tasks: dict[str, float] = {}
        """Each with the moment when it was accepted."""
        self._lock = threading.Lock()

    def enter(self) -> object:
        """A place for one submit; `RateLimited` when there is none."""
        place = object()
        with self._lock:
            self._forget()
            if self._most is not None and len(self._submits) + len(self._tasks) >= self._most:
                raise RateLimited(
                    f"max_in_flight is {self._most}, and so many tasks are in flight: "
                    "a place is free when this bridge sees one of them settle, so wait for one, or fetch it"
                )
            self._submits[place] = set()
        return place

    def accepted(self, place: object, task_id: str) -> None:
        """The submit at that place became this task, which keeps the place until it settles."""
        with self._lock:
            settled = self._submits.pop(place, ())
            if self._most is not None and task_id not in settled:
                self._tasks[task_id] = self._clock()

    def refused(self, place: object) -> None:
        """The submit at that place became no task."""
        with self._lock:
            self._submits.pop(place, None)

    def settled(self, task_id: str) -> None:
        """The task is seen settled."""
        with self._lock:
            self._tasks.pop(task_id, None)
            for settled in self._submits.values():
                settled.add(task_id)

    def _forget(self) -> None:
        oldest = self._clock() - LONGEST_TASK
        self._tasks = {task_id: since for task_id, since in self._tasks.items() if since >= oldest}


class CoolDown:
    """The rest after a failure. It doubles with each failure in a row, up to a cap; the later end wins."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = -float("inf")
        self._failures = 0
        self._reason = ("", "")
        self._lock = threading.Lock()

    def begin(self, error: MJBridgeError, seconds: float) -> float:
        """Cool down for `seconds`, grown, or until the error's `retry_after` if that is later; the seconds it takes."""
        with self._lock:
            now = self._clock()
            # Threads that fail together are one failure.
            if now >= self._until:
                self._failures += 1
            grown = min(seconds * 2.0 ** min(self._failures - 1, 30), max(seconds, LONGEST_COOL_DOWN))
            asked = min(error.retry_after or 0.0, LONGEST_RETRY_AFTER)
            self._until = max(self._until, now + max(grown, asked))
            # Its words alone: the error itself holds the frames that it passed, and so the caller's pictures.
            self._reason = type(error).__name__, error.message
            return self._until - now

    def succeeded(self) -> None:
        """The next failure is the first again."""
        with self._lock:
            self._failures = 0

    @property
    def left(self) -> float:
        """Seconds until it is over, 0 when it is."""
        with self._lock:
            return max(0.0, self._until - self._clock())

    @property
    def reason(self) -> tuple[str, str]:
        """The category and the message of the error that began it last."""
        with self._lock:
            return self._reason


class Limits:
    """The three of them for one account."""

    def __init__(
        self, *, max_rate: float | None = None, max_in_flight: int | None = None, timing: Timing = REAL_TIME
    ) -> None:
        self.rate = Rate(max_rate, timing)
        self.in_flight = InFlight(max_in_flight, timing.clock)
        self.cool_down = CoolDown(timing.clock)
