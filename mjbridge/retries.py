"""Reads that failed in passing are read again. A submit never comes here."""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from mjbridge.errors import MalformedReply, MJBridgeError, RateLimited, Unavailable
from mjbridge.timing import Deadline, Timing

Result = TypeVar("Result")

TRANSIENT: Final = (Unavailable, RateLimited, MalformedReply)
"""What may be gone by the next try."""
PAUSES: Final = (0.5, 1.0, 2.0)
"""Seconds between the tries, before chance takes up to half of each."""
LONGEST_PAUSE: Final = 60.0
"""Seconds of `Retry-After` up to which a read waits; beyond, the caller decides."""

_log = logging.getLogger("mjbridge")


def retried(read: Callable[[], Result], deadline: Deadline, timing: Timing) -> Result:
    """What `read` gives, in up to four tries. `Retry-After` is waited for, the deadline never passed."""
    for step in PAUSES:
        try:
            return read()
        except TRANSIENT as error:
            pause = _pause(error, step, timing)
            if pause > min(deadline.left, LONGEST_PAUSE):
                raise
            _log.info("read again in %.1f s: %s", pause, error)
        timing.sleep(pause)
    return read()


def _pause(error: MJBridgeError, step: float, timing: Timing) -> float:
    # Chance keeps many callers from coming back at the same moment.
    return max(step * (1 + timing.random()) / 2, error.retry_after or 0.0)
