"""The part of a source that is being cut into records, and the blocks of records that come of it."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import msgspec

from mjbridge.errors import MalformedRecord
from mjbridge.fields import Record, decode_json, is_object
from mjbridge.wire import JSON_LIMIT

BLOCK: Final = 2**18
"""Bytes that are read at a time: some hundred records."""

FIRST_BYTES: Final = 1024
"""How much is kept of a record that is too large to be read."""

TASK_LIMIT: Final = 4 * JSON_LIMIT
"""Bytes of a task that was written here: it holds its record, and much of that once more in its fields."""

_TASK: Final = b'{"schema_version"'

ID_KEYS: Final = ("id", "mj_id", "_id", "Id", "task_id")
"""What records, and the tables of those who store them, call a task's id."""

Place: TypeAlias = tuple[int, int]
"""Where something begins, and where it ends."""


class Block(msgspec.Struct, frozen=True):
    """Some records of a source, in order, and where each begins: bytes from the start of the decompressed source.

    With a `fault` it is one record (or what is left of it) that cannot be read, and why.
    """

    source: str
    records: list[Record]
    offsets: list[int]
    fault: str = ""

    @classmethod
    def of(cls, data: bytes, places: Iterable[Place], source: str = "", offset: int = 0) -> "Block":
        """The records at these places of a part of the source, which begins at `offset`."""
        found = list(places)
        return cls(source, [data[start:end] for start, end in found], [offset + start for start, _ in found])


class Damaged(Exception):
    """Data cannot be decompressed, or decoded, any further."""


def limit(data: bytes, position: int = 0) -> int:
    """How many bytes a record may be that begins there."""
    return TASK_LIMIT if data.startswith(_TASK, position) else JSON_LIMIT


class Window:
    """The part of a decompressed source that is being cut into records."""

    def __init__(self, name: str, pieces: Iterator[bytes], offset: int = 0) -> None:
        self.name = name
        self.data = b""
        self.offset = offset
        self.fault = ""
        self._pieces = pieces

    def grow(self, size: int = 1) -> bool:
        """Read on, by `size` bytes or a little more; False at the end, or where the source is damaged."""
        read = [self.data]
        size = max(size, 1)
        while size > 0 and (piece := self._next()) is not None:
            read.append(piece)
            size -= len(piece)
        self.data = b"".join(read)
        return len(read) > 1

    def recode(self, recoded: Callable[[Iterator[bytes]], Iterator[bytes]]) -> None:
        """Go on with what is made of all that is here and is to come."""
        self._pieces = recoded(itertools.chain([self.data], self._pieces))
        self.data = b""
        self.grow()

    def drop(self, count: int) -> None:
        """Forget what is done with."""
        self.data = self.data[count:]
        self.offset += count

    @property
    def has_long_line(self) -> bool:
        """Whether it begins with a line that is longer than any record."""
        most = limit(self.data)
        return len(self.data) > most and not 0 <= self.data.find(b"\n") <= most

    def drop_line(self) -> None:
        """Forget a line, however long, but for its end."""
        while (end := self.data.find(b"\n")) < 0:
            self.drop(len(self.data))
            if not self.grow():
                return
        self.drop(end)

    def block(self, places: Iterable[Place]) -> Block:
        """The records at these places."""
        return Block.of(self.data, places, self.name, self.offset)

    def unreadable(self, fault: str) -> Block:
        """What is left, as one record that cannot be read."""
        return Block(self.name, [self.data[: limit(self.data)]], [self.offset], fault)

    def _next(self) -> bytes | None:
        try:
            return next(self._pieces, None)
        except Damaged as error:
            self.fault = f"the data is damaged from here on: {error}"
        return None


def too_large(window: Window, offset: int, first: bytes) -> Block:
    """The record that began at `offset` and ended where the window begins, by its first bytes."""
    return oversized(window.name, offset, window.offset - offset, first)


def oversized(source: str, offset: int, size: int, record: bytes) -> Block:
    """A record that is too large to be read, by its first bytes."""
    most = limit(record)
    reason = f"a record of {size} bytes: those of more than {most} are not read, and only its beginning is kept"
    return Block(source, [record[:FIRST_BYTES]], [offset], reason)


def is_json_object(line: bytes) -> bool:
    """Whether a text is one JSON object and nothing else."""
    try:
        return is_object(decode_json(line))
    except MalformedRecord:
        return False
