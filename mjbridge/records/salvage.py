"""Whole records in a text that is broken: behind one that has lost its end, and several in one line."""

import itertools
import re
from typing import Final

from mjbridge.records.brackets import after, closing
from mjbridge.records.windows import ID_KEYS, Block, Place, is_json_object

FIRST_KEY: Final = re.compile(rb'\{\s*"[^"\\\n]*+"\s*:')
"""How a record begins: those of one source do so alike."""

# Where what follows a broken record may begin, if not as that does: with an id, or a task's envelope.
_BEGINNING: Final = rb'\{\s*"(?:%b|code|schema_version)"\s*:' % "|".join(ID_KEYS).encode()
# What is a member's value is no record.
_NO_VALUE: Final = b"(?<!:)(?<!: )"
_CLOSERS: Final = re.compile(rb"[\s,\]}]*+")
_MOST_TRIED: Final = 32
_MOST_WORK: Final = 8


def salvaged(text: bytes) -> list[Block] | None:
    """A broken record and whole ones behind it that begin as it does, or several records in one line."""
    places: list[Place] = []
    start, is_whole = 0, False
    search = Search(text)
    while start < len(text):
        end = search.whole(start)
        next_start = end or search.following(start) or len(text)
        places.append((start, end or next_start))
        is_whole = is_whole or bool(end)
        start = after(_CLOSERS, text, next_start)
    return [Block.of(text, places)] if is_whole else None


class Search:
    """Looks for whole records in a broken text.

    What looks like a record and has no end is looked at as far as the text goes, and the next again. So that a text
    made for it does not cost the square of its length, such looks may cost a few times the text and the way done, and
    each a quarter of what is left: all of the text at first, and then so far as records have been apart.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._spent = 0

    def following(self, start: int = 0) -> int:
        """Where behind a broken record the next whole one begins, as it does or with an id; 0 if nowhere."""
        begins = FIRST_KEY.match(self._text, start)
        alike = re.escape(begins[0]) + b"|" if begins else b""
        pattern = re.compile(_NO_VALUE + b"(?:" + alike + _BEGINNING + b")")
        tried = itertools.islice(pattern.finditer(self._text, start + 1), _MOST_TRIED)
        return next((found.start() for found in tried if self.whole(found.start())), 0)

    def whole(self, start: int) -> int:
        """The end of the JSON object that begins here; 0 if none does."""
        if not self._text.startswith(b"{", start):
            return 0
        left = _MOST_WORK * (len(self._text) + start) - self._spent
        seen = self._text[start : start + left // 4]
        end = closing(seen, 0)
        if end > 0 and is_json_object(seen[:end]):
            return start + end
        self._spent += end if end > 0 else len(seen)
        return 0
