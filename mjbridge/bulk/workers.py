"""Several processes at work, the batches in order."""

import gc
import io
import multiprocessing
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import groupby
from typing import Final, TypeAlias

import msgspec

from mjbridge.bulk.conversion import Batch, Put, Settings, Work, converter, source_of
from mjbridge.bulk.rooms import Parcel, Rooms
from mjbridge.errors import MJBridgeError
from mjbridge.records.sources import SPAN, Span

_AHEAD: Final = 3
"""Pieces of work for each worker that are handed out before the first result is awaited."""

_ENDING: Final = [each for each in signal.Signals if each.name in ("SIGHUP", "SIGINT", "SIGTERM")]
"""What ends a command."""

_Made: TypeAlias = list[tuple[Batch, Parcel]]
"""What came of a piece: a batch for each of its sources, and the lines of each."""


class _Worker(msgspec.Struct):
    convert: Callable[[Sequence[Work], Put], Batch]
    rooms: Rooms


_worker: Final[list[_Worker]] = []
"""This process's own, once it is a worker: a pool has no other place for what its initializer makes."""


def _begin(settings: Settings, rooms: Rooms) -> None:
    # Ctrl-C reaches every process of a terminal; only the first is to answer it. It ends its workers when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Windows has no SIGHUP, and nohup has it ignored.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()
    _worker[:] = [_Worker(converter(settings), rooms)]


def _end_with_parent() -> None:
    """Nobody else would end a worker whose parent was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


def _work(room: int, piece: Parcel) -> _Made:
    (worker,) = _worker
    with worker.rooms.opened(piece) as pickled:
        # A copy: what comes of the work is put into the room that it came in.
        work = _unpickled(bytes(pickled))
    filling = worker.rooms.filling(room)
    return [(worker.convert(list(each), filling.put), filling.parcel()) for _, each in groupby(work, source_of)]


def _unpickled(data: bytes) -> list[Work]:
    file, work = io.BytesIO(data), list[Work]()
    while file.tell() < len(data):
        work.append(pickle.load(file))  # noqa: S301 this process's own parent has pickled it
    return work


def in_parallel(work: Iterable[Work], settings: Settings, workers: int) -> Iterator[Batch]:
    """The work through a pool, never more than a few pieces of it under way."""
    # Forked, where that is safe: a new interpreter would have to load everything first, and would share no memory.
    is_forked = sys.platform.startswith("linux")
    context = multiprocessing.get_context("fork" if is_forked else "spawn")
    with _telling_too_many(workers):
        rooms = Rooms(workers * _AHEAD, are_shared=is_forked)
        pool = ProcessPoolExecutor(workers, context, _begin, (settings, rooms))
    try:
        if is_forked:
            with _telling_too_many(workers):
                _fork(pool)
        yield from _through(pool, rooms, list(range(workers * _AHEAD)), _pieces(work))
    except BrokenProcessPool:
        raise MJBridgeError("a worker process died (killed, or out of memory): try fewer workers") from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _telling_too_many(workers: int) -> Generator[None, None, None]:
    """Memory or processes may not suffice, and Windows has no pool of more than 61."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise MJBridgeError(f"{workers} workers cannot be started ({error}): try fewer") from None


def _fork(pool: ProcessPoolExecutor) -> None:
    """Start all workers, with signals held: until one has begun it has this process's handlers, and would miss its end.

    This process would miss its own: a pool that is interrupted here never ends the workers that it has.
    """
    others = multiprocessing.active_children()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        pool.submit(int)  # with the first piece of work all are forked
    except OSError:
        for worker in multiprocessing.active_children():
            if worker not in others:
                worker.kill()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _pieces(work: Iterable[Work]) -> Iterator[list[bytes]]:
    """The work pickled, and as much of it together as a span: to hand out less costs the same."""
    piece: list[bytes] = []
    size = 0
    for each in work:
        piece.append(pickle.dumps(each))
        size += each.end - each.start if isinstance(each, Span) else len(piece[-1])
        if size >= SPAN:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _through(
    pool: ProcessPoolExecutor, rooms: Rooms, free: list[int], pieces: Iterator[list[bytes]]
) -> Iterator[Batch]:
    waiting: deque[tuple[int, Future[_Made]]] = deque()
    while True:
        while free and (piece := next(pieces, None)) is not None:
            room = free.pop()
            filling = rooms.filling(room)
            for pickled in piece:
                filling.put(pickled)
            waiting.append((room, pool.submit(_work, room, filling.parcel())))
        if not waiting:
            return
        room, future = waiting.popleft()
        for batch, parcel in future.result():
            with rooms.opened(parcel) as lines:
                batch.lines = lines
                yield batch
        free.append(room)
