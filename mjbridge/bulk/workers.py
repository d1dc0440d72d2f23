"""Several processes at work, the batches in order.

Lines come back through memory that all of them share: a pipe would cost as much as reading.
"""

import gc
import mmap
import multiprocessing
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Final

import msgspec

from mjbridge.bulk.conversion import Batch, Put, Settings, Work, converter
from mjbridge.errors import MJBridgeError
from mjbridge.records.sources import SPAN

_AHEAD: Final = 3
"""Pieces of work a worker that are handed out before the first of them is done."""

_ROOM: Final = 4 * SPAN
"""Bytes of shared memory for a piece of work: its lines, if every record grows fourfold."""


class _Shared:
    """Memory that all processes share, with room for each piece of work under way."""

    def __init__(self, count: int) -> None:
        self.memory = mmap.mmap(-1, count * _ROOM)
        self.free = list(range(count))

    @contextmanager
    def lent(self, room: int, batch: Batch) -> Generator[Batch, None, None]:
        """The batch with its lines where they are; then the room is free."""
        start = room * _ROOM
        with memoryview(self.memory)[start : start + batch.shared] as lines:
            batch.lines = bytes(lines) + batch.lines if batch.lines else lines
            yield batch
        self.free.append(room)


class _Filling:
    """A room, or none, while a worker puts lines into it: what no longer fits, and all behind that, stays beside it."""

    def __init__(self, memory: mmap.mmap | None, room: int) -> None:
        self._memory = memory
        self._start = room * _ROOM
        self.size = 0
        self.beside: list[bytes] = []

    def put(self, lines: bytes) -> None:
        end = self.size + len(lines)
        if self._memory is None or self.beside or end > _ROOM:
            self.beside.append(lines)
        else:
            self._memory[self._start + self.size : self._start + end] = lines
            self.size = end


class _Worker(msgspec.Struct):
    convert: Callable[[Work, Put], Batch]
    memory: mmap.mmap | None


_worker: Final[list[_Worker]] = []
"""This process's own, once it is a worker."""


def _begin(settings: Settings, memory: mmap.mmap | None) -> None:
    # Ctrl-C reaches every process of a terminal; only the first is to answer it. It ends its workers when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Windows has no SIGHUP, and nohup has it ignored.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()
    _worker[:] = [_Worker(converter(settings), memory)]


def _end_with_parent() -> None:
    """Nobody else would end a worker whose parent was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


def _work(work: Work, room: int) -> Batch:
    (worker,) = _worker
    filling = _Filling(worker.memory, room)
    batch = worker.convert(work, filling.put)
    batch.lines, batch.shared = b"".join(filling.beside), filling.size
    return batch


def in_parallel(work: Iterable[Work], settings: Settings, workers: int) -> Iterator[Batch]:
    """The work through a pool, never more than a few pieces of it under way."""
    # Forked, where that is safe: a new interpreter would have to load everything first, and would share no memory.
    is_forked = sys.platform.startswith("linux")
    shared = _Shared(workers * _AHEAD)
    context = multiprocessing.get_context("fork" if is_forked else "spawn")
    pool = ProcessPoolExecutor(workers, context, _begin, (settings, shared.memory if is_forked else None))
    try:
        if is_forked:
            _fork(pool)
        yield from _through(pool, shared, work)
    except BrokenProcessPool:
        raise MJBridgeError("a worker process died (killed, or out of memory): try fewer workers") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _fork(pool: ProcessPoolExecutor) -> None:
    """The workers, none of which can miss its end: until they have begun they have our handlers, and SIGTERM waits."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        pool.submit(int)  # with the first piece of work all are forked
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _through(pool: ProcessPoolExecutor, shared: _Shared, work: Iterable[Work]) -> Iterator[Batch]:
    waiting: deque[tuple[int, Future[Batch]]] = deque()
    left = iter(work)
    while True:
        while shared.free and (some := next(left, None)) is not None:
            room = shared.free.pop()
            waiting.append((room, pool.submit(_work, some, room)))
        if not waiting:
            return
        room, future = waiting.popleft()
        with shared.lent(room, future.result()) as batch:
            yield batch
