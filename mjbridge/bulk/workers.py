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

from mjbridge.bulk.conversion import Batch, Settings, Work, converter
from mjbridge.errors import MJBridgeError
from mjbridge.records.sources import SPAN

_AHEAD: Final = 3
"""Pieces of work a worker that are handed out before the first of them is done."""

_SHARE: Final = 4 * SPAN
"""Bytes of shared memory for a piece of work: its lines, if every record grows fourfold."""


class _Shares:
    """Shared memory, one share for each piece of work under way."""

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, count * _SHARE)
        self.free = list(range(count))

    def put(self, share: int, batch: Batch) -> Batch:
        """The batch with its lines in the share, if they fit."""
        size = len(batch.lines)
        if size <= _SHARE:
            start = share * _SHARE
            self._memory[start : start + size] = batch.lines
            batch.lines, batch.shared = b"", size
        return batch

    @contextmanager
    def lent(self, share: int, batch: Batch) -> Generator[Batch, None, None]:
        """The batch with its lines where they are; then the share is free."""
        start = share * _SHARE
        with memoryview(self._memory)[start : start + batch.shared] as lines:
            batch.lines = batch.lines or lines
            yield batch
        self.free.append(share)


class _Worker(msgspec.Struct):
    convert: Callable[[Work], Batch]
    shares: _Shares | None


_worker: Final[list[_Worker]] = []
"""This process's own, once it is a worker."""


def _begin(settings: Settings, shares: _Shares | None) -> None:
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
    _worker[:] = [_Worker(converter(settings), shares)]


def _end_with_parent() -> None:
    """Nobody else would end a worker whose parent was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


def _work(work: Work, share: int) -> Batch:
    (worker,) = _worker
    batch = worker.convert(work)
    return worker.shares.put(share, batch) if worker.shares else batch


def in_parallel(work: Iterable[Work], settings: Settings, workers: int) -> Iterator[Batch]:
    """The work through a pool, never more than a few pieces of it under way."""
    # Forked, where that is safe: a new interpreter would have to load everything first, and would share no memory.
    is_forked = sys.platform.startswith("linux")
    shares = _Shares(workers * _AHEAD)
    context = multiprocessing.get_context("fork" if is_forked else "spawn")
    pool = ProcessPoolExecutor(workers, context, _begin, (settings, shares if is_forked else None))
    try:
        if is_forked:
            _fork(pool)
        yield from _through(pool, shares, work)
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


def _through(pool: ProcessPoolExecutor, shares: _Shares, work: Iterable[Work]) -> Iterator[Batch]:
    waiting: deque[tuple[int, Future[Batch]]] = deque()
    left = iter(work)
    while True:
        while shares.free and (some := next(left, None)) is not None:
            share = shares.free.pop()
            waiting.append((share, pool.submit(_work, some, share)))
        if not waiting:
            return
        share, future = waiting.popleft()
        with shares.lent(share, future.result()) as batch:
            yield batch
