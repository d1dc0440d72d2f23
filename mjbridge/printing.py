"""Text for people: what a vendor says may stand on a terminal and in a log, and steer neither."""

import re
from typing import Final

# C0 and C1 controls, line separators, and what turns the direction of writing.
_STEERING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""The text in one line, with everything spelt out that would steer a terminal or begin a line of its own.

    >>> print(printable("no\x1b[2J\nmain:1 completed"))
    no\x1b[2J\nmain:1 completed
    """
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)
