"""Text for people: what a vendor says may stand on a terminal and in a log, and what a plugin raised, and where."""

import os
import re
from typing import Final

# C0 and C1 controls, line separators, and what turns the direction of writing.
_STEERING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_OURS: Final = os.path.dirname(__file__) + os.sep  # noqa: PTH120 as it stands in tracebacks, which Path would write anew


def printable(text: str) -> str:
    r"""The text in one line, with everything spelt out that would steer a terminal or begin a line of its own.

    >>> print(printable("no\x1b[2J\nmain:1 completed"))
    no\x1b[2J\nmain:1 completed
    """
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)


def raised(error: Exception) -> str:
    """What somebody else's code raised, and its last line outside mjbridge, which is where to look."""
    place, step = "", error.__traceback__
    while step:
        file = step.tb_frame.f_code.co_filename
        place = place if file.startswith(_OURS) else f" at {file}:{step.tb_lineno}"
        step = step.tb_next
    return f"{error!r}{place}"
