"""Several processes at work: each piece goes to the one that has the least to do, and what comes of them is in order.

This side has no thread and no lock, so that it may be interrupted at any moment, and ends its workers then.
"""

import gc
import io
import multiprocessing
import pickle
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from multiprocessing.connection import wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from mjbridge.bulk.conversion import Batch, Put, Settings, Work, converter, source_of
from mjbridge.bulk.rooms import Parcel, Rooms
from mjbridge.errors import MJBridgeError
from mjbridge.records.sources import SPAN, Span

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

_AHEAD: Final = 3
"""Pieces of work for each worker that are handed out before the first result is awaited."""

_ENDING: Final = [each for each in signal.Signals if each.name in ("SIGHUP", "SIGINT", "SIGTERM")]
"""What ends a command."""

_Convert: TypeAlias = Callable[[Sequence[Work], Put], Batch]

_Made: TypeAlias = list[tuple[Batch, Parcel]]
"""What came of a piece: a batch for each of its sources, and the lines of each."""


def in_parallel(work: Iterable[Work], settings: Settings, workers: int) -> Iterator[Batch]:
    """The work by so many processes, never more than a few pieces of it under way."""
    # Forked, where that is safe: a new interpreter would have to load everything first, and would share no memory.
    is_forked = sys.platform.startswith("linux")
    context = multiprocessing.get_context("fork" if is_forked else "spawn")
    with ExitStack() as stack:
        with _telling_too_many():
            rooms = Rooms(workers * _AHEAD, are_shared=is_forked)
            crew = [stack.enter_context(_worker(context, settings, rooms)) for _ in range(workers)]
        yield from _through(crew, rooms, _pieces(work))


@contextmanager
def _telling_too_many() -> Generator[None, None, None]:
    """Where memory, processes or open files do not suffice."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise MJBridgeError(f"so many workers cannot be started ({error}): try fewer") from None


class _Worker:
    """A process at work, as the one that hands out the work sees it."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self.connection = connection
        self._rooms = deque[int]()

    @property
    def load(self) -> int:
        """How many pieces it has that are not taken yet."""
        return len(self._rooms)

    def give(self, room: int, piece: Parcel) -> None:
        """Hand out a piece of work; what comes of it goes to that room."""
        with _telling_death():
            self.connection.send((room, piece))
        self._rooms.append(room)

    def take(self) -> tuple[int, _Made]:
        """What came of the first piece that is not taken yet, and its room; or the error it failed with."""
        with _telling_death():
            made = cast("_Made | Exception", self.connection.recv())
        if isinstance(made, Exception):
            raise made
        return self._rooms.popleft(), made


@contextmanager
def _telling_death() -> Generator[None, None, None]:
    try:
        yield
    except (EOFError, ConnectionError):
        raise MJBridgeError("a worker process died (killed, or out of memory): try fewer workers") from None


@contextmanager
def _worker(context: Any, settings: Settings, rooms: Rooms) -> Generator[_Worker, None, None]:
    """A worker, which is killed at the end: it holds nothing that would have to be put away."""
    here, there = context.Pipe()
    process: BaseProcess = context.Process(target=_serve, args=(there, settings, rooms), daemon=True)
    with here:
        try:
            with there, _signals_waiting():
                process.start()
            yield _Worker(here)
        finally:
            if process.pid:
                process.kill()
                process.join()


@contextmanager
def _signals_waiting() -> Generator[None, None, None]:
    """Handlers are called at the end: what they raise while a process is forked is lost, or leaves it behind."""
    noted: list[int] = []
    handlers = {each: signal.getsignal(each) for each in _ENDING}
    is_main = threading.current_thread() is threading.main_thread()  # nothing is raised in any other
    ours = {each: handler for each, handler in handlers.items() if is_main and callable(handler)}
    try:
        for each in ours:
            signal.signal(each, lambda number, _: noted.append(number))
        yield
    finally:
        for each, handler in ours.items():
            signal.signal(each, handler)
        for number in noted:
            signal.raise_signal(number)


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


def _through(crew: Sequence[_Worker], rooms: Rooms, pieces: Iterator[list[bytes]]) -> Iterator[Batch]:
    free, under_way, made = list(range(len(crew) * _AHEAD)), deque[int](), dict[int, _Made]()
    while True:
        while free and (piece := next(pieces, None)) is not None:
            room = free.pop()
            filling = rooms.filling(room)
            for pickled in piece:
                filling.put(pickled)
            made |= _answers(crew, 0)
            min(crew, key=lambda worker: worker.load).give(room, filling.parcel())
            under_way.append(room)
        if not under_way:
            return
        room = under_way.popleft()
        while room not in made:
            made |= _answers(crew, None)
        for batch, parcel in made.pop(room):
            with rooms.opened(parcel) as lines:
                batch.lines = lines
                yield batch
        free.append(room)


def _answers(crew: Sequence[_Worker], seconds: float | None) -> dict[int, _Made]:
    """What has come of pieces, by their rooms, as soon as there is any."""
    ready = wait([worker.connection for worker in crew], seconds)
    return dict(worker.take() for worker in crew if worker.connection in ready)


# What follows is the worker's side.


def _serve(connection: "Connection[Any, Any]", settings: Settings, rooms: Rooms) -> None:
    """Pieces of work in, and what came of each out, until this process is killed."""
    try:
        _leave_signals_to_parent()
        with _telling_too_many():
            pieces = _received(connection)
        gc.disable()
        convert = converter(settings)
        while True:
            connection.send(_made(convert, rooms, *pieces.get()))
    except Exception as error:  # noqa: BLE001 whatever it is, it is raised where the work was handed out
        error.add_note(traceback.format_exc())
        with suppress(ConnectionError):  # whoever handed it out may be gone
            connection.send(error)


def _leave_signals_to_parent() -> None:
    """Ctrl-C reaches every process of a terminal; only the first is to answer it. It ends its workers when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Windows has no SIGHUP, and nohup has it ignored.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _received(connection: "Connection[Any, Any]") -> "SimpleQueue[tuple[int, Parcel]]":
    """What is handed out, read by a thread, so that nobody who gives ever waits for one who gives too.

    It also ends a worker whose parent was killed, or that can read no more: it would wait for work for ever.
    """
    pieces = SimpleQueue[tuple[int, Parcel]]()

    def receive(parent: "BaseProcess") -> None:
        try:
            while parent.sentinel not in wait([connection, parent.sentinel]):
                pieces.put(connection.recv())
        finally:
            signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=receive, args=[multiprocessing.parent_process()], daemon=True).start()
    return pieces


def _made(convert: _Convert, rooms: Rooms, room: int, piece: Parcel) -> _Made:
    with rooms.opened(piece) as pickled:
        # A copy: what comes of the work is put into the room that it came in.
        work = _unpickled(bytes(pickled))
    filling = rooms.filling(room)
    return [(convert(list(each), filling.put), filling.parcel()) for _, each in groupby(work, source_of)]


def _unpickled(data: bytes) -> list[Work]:
    file, work = io.BytesIO(data), list[Work]()
    while file.tell() < len(data):
        work.append(pickle.load(file))  # noqa: S301 this process's own parent has pickled it
    return work
