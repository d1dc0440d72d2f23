"""JSON by its brackets: where a value ends, and whether it can have an end at all, told without parsing it."""

import re
from collections.abc import Mapping
from typing import Final

LIST: Final = b"]"
OBJECT: Final = b"}"
CLOSED_BY: Final[Mapping[bytes, bytes]] = {b"[": LIST, b"{": OBJECT}
"""What closes a list, and an object."""

SEPARATORS: Final = re.compile(rb"[\s,]*+")

STRING: Final = rb'"(?:[^"\\\n]++|\\.)*+"'
BEGUN: Final = rb'"(?:[^"\\\n]++|\\.?)*+'
"""A string, but for its end."""

_UNQUOTED: Final = rb'[^\s,"\[\]{}]++'
SCALAR: Final = re.compile(b"(?:" + STRING + b"|" + _UNQUOTED + rb")(?=[\s,\[\]{}])", re.DOTALL)
"""A value without brackets, and something behind it that ends it."""

# What stands where a scalar does, and can be none: something follows it at once, or its line ends within it.
_NO_SCALAR: Final = re.compile(STRING + rb"(?=[^\s,\[\]{}])|" + _UNQUOTED + rb'"|"(?:[^"\\\n]++|\\.)*+\n', re.DOTALL)
# A string and what JSON (or the end of a call of MongoDB's shell) allows behind it. Where a record has lost its end
# within a string, the next quote begins what stands between two strings, and that is never so.
_FOLLOWED: Final = STRING + rb"(?=[\s:,\]})]|\Z)"


def _closed(levels: int) -> bytes:
    """The pattern of a bracketed value that holds others, so many levels deep."""
    inner = b"|" + _closed(levels - 1) if levels else b""
    return rb'[\[{](?:[^"\[\]{}]++|' + _FOLLOWED + inner + rb")*+[\]}]"


WITHIN: Final = re.compile(rb'(?:[^"\[\]{}]++|' + _FOLLOWED + b"|" + _closed(2) + b")*+", re.DOTALL)
"""All up to the next bracket that matters: most of a record in one step."""

WORD: Final = re.compile(_UNQUOTED)
IN_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_WHOLE_STRING: Final = re.compile(STRING, re.DOTALL)


def after(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    """Behind what matches here; here, if nothing does."""
    found = pattern.match(data, position)
    return found.end() if found else position


def closing(data: bytes, position: int) -> int:
    """Behind the bracket that closes the value that begins here; -1 if it is further on."""
    missing: list[bytes] = []
    end = skim(data, position, missing)
    return -1 if missing else end


def has_lost_its_end(data: bytes) -> bool:
    """Whether the value that begins here shows that it has lost its end, wherever the window ends."""
    if data[:1] not in CLOSED_BY:
        return _NO_SCALAR.match(data) is not None
    missing: list[bytes] = []
    end = skim(data, 0, missing)
    return bool(missing) and _WHOLE_STRING.match(data, end) is not None


def skim(data: bytes, position: int, missing: list[bytes]) -> int:
    """On until nothing is open, or nothing more is there; `missing` follows the brackets that are yet to come."""
    while True:
        here = data[position : position + 1]
        if here in CLOSED_BY:
            missing.append(CLOSED_BY[here])
        elif here in (LIST, OBJECT):
            if here != missing.pop():
                missing.clear()  # it closes what stands around this value, which has lost its own end
                return position
        elif _WHOLE_STRING.match(data, position) or data.find(b"\n", position) < 0:
            return position  # what stands here is no JSON; or the end, or a string that goes on
        position += 1  # no string of JSON holds a line end, so a quote here begins none
        if not missing:
            return position
        position = after(WITHIN, data, position)
