"""Memory that processes share, in rooms: through a pipe, records and lines would cost as much as reading them."""

import mmap
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import msgspec

from mjbridge.bulk.files import Lines
from mjbridge.records.sources import SPAN

_ROOM: Final = 4 * SPAN
"""Bytes of a room: the lines of a span, if every record grows fourfold."""


class Parcel(msgspec.Struct, frozen=True):
    """Bytes for another process: where in the memory they are, and those behind them that found no room."""

    start: int
    end: int
    beside: bytes


class Rooms:
    """Rooms of memory for processes that are forked; others share none, and each parcel holds its bytes itself."""

    def __init__(self, count: int, *, are_shared: bool) -> None:
        self._memory = mmap.mmap(-1, count * _ROOM) if are_shared else None

    def filling(self, room: int) -> "Filling":
        """A room from its beginning on."""
        return Filling(self._memory, room)

    @contextmanager
    def opened(self, parcel: Parcel) -> Generator[Lines, None, None]:
        """The bytes of a parcel, not copied where they are all in the memory; they are gone when it is closed."""
        if self._memory is None:
            yield parcel.beside
            return
        with memoryview(self._memory)[parcel.start : parcel.end] as view:
            yield bytes(view) + parcel.beside if parcel.beside else view


class Filling:
    """A room while parcels are put into it, one behind the other."""

    def __init__(self, memory: mmap.mmap | None, room: int) -> None:
        self._memory = memory
        self._start = self._end = room * _ROOM
        self._limit = self._start + _ROOM
        self._beside: list[bytes] = []

    def put(self, data: bytes) -> None:
        """Add to the parcel, in the room while there is any, and beside it from then on."""
        end = self._end + len(data)
        if self._memory is None or self._beside or end > self._limit:
            self._beside.append(data)
        else:
            self._memory[self._end : end] = data
            self._end = end

    def parcel(self) -> Parcel:
        """What was put since the last parcel."""
        made = Parcel(self._start, self._end, b"".join(self._beside))
        self._start = self._end
        self._beside.clear()
        return made
