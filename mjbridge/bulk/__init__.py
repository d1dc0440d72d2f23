"""Records in bulk: blocks of them through one process or several, in order, each as lines of canonical JSON."""

import gc
import mmap
import multiprocessing
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Final, TypeVar

import msgspec

from mjbridge import records
from mjbridge.bulk.sinks import Lines
from mjbridge.doubts import Doubt
from mjbridge.errors import MJBridgeError
from mjbridge.fields import Record
from mjbridge.records import sources
from mjbridge.records.sources import SPAN, Span
from mjbridge.records.streams import Issue, Reading, Reject
from mjbridge.records.windows import Block
from mjbridge.task import Task, decode

_AHEAD: Final = 3
"""Pieces of work a worker that are handed out before the first of them is done."""

_WAITING: Final = 4
"""Records of a task that are kept before those that tell nothing new are sorted out."""

_SHARE: Final = 4 * SPAN
"""Bytes of shared memory for a piece of work: its lines, if every record grows fourfold."""


Numbered = TypeVar("Numbered", Reject, Issue)


class Settings(msgspec.Struct, frozen=True):
    """How records are read: by the `provider` (None: each tells), with or without `raw`, or again from their `raw`."""

    provider: str | None = None
    keep_raw: bool = True
    from_raw: bool = False


Work = Block | Span
"""What is handed out: records, or where in a file they are."""


class Batch(msgspec.Struct):
    """What became of some records: its tasks as lines of JSON, counted by provider and status; the rest as data."""

    source: str
    lines: Lines = b""
    """Good until the next batch is asked for: they may stand in a worker's share of memory."""

    tasks: dict[tuple[str, str], int] = {}
    rejects: list[Reject] = []
    issues: list[Issue] = []
    shared: int = 0
    """Bytes of lines that a worker has put into its share of memory."""

    @property
    def records(self) -> int:
        """How many records there were."""
        return sum(self.tasks.values()) + len(self.rejects)


class Summary(msgspec.Struct):
    """What became of all: tasks by provider and status, rejects, issues by path and what was done."""

    tasks: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter[tuple[str, str]])
    issues: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter[tuple[str, str]])
    rejects: int = 0

    def add(self, batch: Batch) -> None:
        """Count one batch more."""
        self.tasks.update(batch.tasks)
        self.issues.update((issue.path, issue.done) for issue in batch.issues)
        self.rejects += len(batch.rejects)

    @property
    def records(self) -> int:
        """How many records there were."""
        return self.tasks.total() + self.rejects


def converter(settings: Settings) -> Callable[[Work], Batch]:
    """What makes a batch of records; their numbers begin with 1."""
    doubts: list[Doubt] = []
    read = _reader(settings, doubts)

    def convert(work: Work) -> Batch:
        source, blocks = (work.source, [work]) if isinstance(work, Block) else (work.path, sources.blocks_of(work))
        batch = Batch(source)
        lines: list[bytes] = []
        reading = Reading(read, doubts, batch.issues.append)
        for item in reading.tasks(blocks):
            if isinstance(item, Task):
                kind = (item.provider, item.status)
                batch.tasks[kind] = batch.tasks.get(kind, 0) + 1
                lines.append(item.to_json())
            else:
                batch.rejects.append(item)
        lines.append(b"")
        batch.lines = b"\n".join(lines)
        return batch

    return convert


def _reader(settings: Settings, doubts: "list[Doubt]") -> Callable[[Record], Task]:
    if not settings.from_raw:
        return records.normalizer(settings.provider, keep_raw=settings.keep_raw, on_doubt=doubts.append)
    read = records.normalizer(settings.provider)
    return lambda record: records.refreshed(read(record), keep_raw=settings.keep_raw, on_doubt=doubts.append)


def batches(work: Iterable[Work], settings: Settings, workers: int = 1) -> Generator[Batch, None, None]:
    """The batches of all records in order, `workers` processes at work; their numbers count those of each source."""
    made = map(converter(settings), work) if workers == 1 else _in_parallel(work, settings, workers)
    with _collector_resting():
        source, count = "", 0
        for batch in made:
            if batch.source != source:
                source, count = batch.source, 0
            batch.rejects = [_renumbered(each, count) for each in batch.rejects]
            batch.issues = [_renumbered(each, count) for each in batch.issues]
            count += batch.records
            yield batch


def _renumbered(item: Numbered, count: int) -> Numbered:
    return msgspec.structs.replace(item, number=item.number + count)


class Latest:
    """One task for each provider, account and id, merged, in order of first appearance. Memory grows with the tasks."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str, str], list[bytes]] = {}

    def add(self, lines: Lines) -> None:
        """Take the tasks of a batch."""
        for line in bytes(lines).splitlines():
            task = decode(line)
            known = self._lines.setdefault((task.provider, task.account, task.id), [])
            if line not in known:
                known.append(line)
            if len(known) > _WAITING:
                known[:] = [each.to_json() for each in records.telling(map(decode, known))]

    @property
    def size(self) -> int:
        """How many tasks there are."""
        return len(self._lines)

    def lines(self, count: int = 1000) -> Iterator[bytes]:
        """The tasks as lines of JSON, some at a time."""
        left = map(_merged, self._lines.values())
        while some := list(islice(left, count)):
            yield b"\n".join([*some, b""])


def _merged(lines: list[bytes]) -> bytes:
    return lines[0] if len(lines) == 1 else records.merge_all(map(decode, lines)).to_json()


# Several processes. Lines come back through memory that all of them share: a pipe would cost as much as reading.


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
    # Ctrl-C reaches every process of a terminal; only the first is to answer it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    _worker[:] = [_Worker(converter(settings), shares)]


def _work(work: Work, share: int) -> Batch:
    (worker,) = _worker
    batch = worker.convert(work)
    return worker.shares.put(share, batch) if worker.shares else batch


def _in_parallel(work: Iterable[Work], settings: Settings, workers: int) -> Iterator[Batch]:
    """The work through a pool, never more than a few pieces of it under way."""
    # Forked, where that is safe: a new interpreter would have to load everything first, and would share no memory.
    is_forked = sys.platform.startswith("linux")
    shares = _Shares(workers * _AHEAD)
    waiting: deque[tuple[int, Future[Batch]]] = deque()
    context = multiprocessing.get_context("fork" if is_forked else "spawn")
    pool = ProcessPoolExecutor(workers, context, _begin, (settings, shares if is_forked else None))
    try:
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
    except BrokenProcessPool:
        raise MJBridgeError("a worker process died (killed, or out of memory): try fewer workers") from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _collector_resting() -> Generator[None, None, None]:
    """Tasks and what they hold are in no cycle, so the collector would only walk over them, again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
