"""Time as a call sees it: clock, sleep and chance, which a test can replace, and the moment by which it must end."""

import math
import random
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from mjbridge.errors import InvalidCommand

DEFAULT_TIMEOUT: Final = 600.0
"""Seconds that a whole call may take when its caller does not say."""


class Deadline(NamedTuple):
    """The moment of `clock` by which a call must end."""

    clock: Callable[[], float]
    at: float

    @property
    def left(self) -> float:
        """Seconds until then, 0 when it is over."""
        return max(0.0, self.at - self.clock())

    def part(self, of: int) -> "Deadline":
        """The end of what one of so many may take of the time that is left."""
        return Deadline(self.clock, self.clock() + self.left / of)


FOREVER: Final = Deadline(time.monotonic, math.inf)


class Timing(NamedTuple):
    """A monotonic clock in seconds, a sleep, and a random number from 0 up to 1."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def deadline(self, seconds: float) -> Deadline:
        """The end of a call that may take so long; `InvalidCommand` for what is no time."""
        if not _is_time(seconds):
            raise InvalidCommand(f"a wait of {seconds!r} seconds is none: 0 is the shortest, and math.inf never ends")
        return Deadline(self.clock, self.clock() + seconds)


def _is_time(seconds: object) -> bool:
    # NaN compares with nothing, so a deadline made of it would never come.
    return isinstance(seconds, int | float) and seconds >= 0


REAL_TIME: Final = Timing()
