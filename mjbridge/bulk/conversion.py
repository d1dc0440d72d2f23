"""From records to lines of canonical JSON, some records at a time, counted, with what could not be taken as it is."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TypeAlias

import msgspec

from mjbridge import records
from mjbridge.bulk.files import Lines, naming
from mjbridge.doubts import Doubt
from mjbridge.fields import Record
from mjbridge.records import sources
from mjbridge.records.sources import Span
from mjbridge.records.streams import Issue, Reading, Reject
from mjbridge.records.windows import Block
from mjbridge.task import Task


class Settings(msgspec.Struct, frozen=True):
    """How records are read: by the `provider` (None: each tells), with or without `raw`, or again from their `raw`."""

    provider: str | None = None
    keep_raw: bool = True
    from_raw: bool = False


Work = Block | Span
"""What is handed out: records, or where in a file they are."""

Put: TypeAlias = Callable[[bytes], object]
"""Takes the lines of a batch, some at a time."""


class Batch(msgspec.Struct):
    """What became of some records: its tasks as lines of JSON, counted by provider and status; the rest as data."""

    source: str
    lines: Lines = b""
    """Good until the next batch is asked for: they may stand in memory that a worker shares."""

    tasks: dict[tuple[str, str], int] = {}
    rejects: list[Reject] = []
    issues: list[Issue] = []
    document: int | None = None
    """Where a file of lines goes on as a document, which its other spans know nothing of."""

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


def source_of(work: Work) -> str:
    """The file, or what else the records come from."""
    return work.source if isinstance(work, Block) else work.path


def converter(settings: Settings) -> Callable[[Sequence[Work], Put], Batch]:
    """What makes a batch of one source's records, whose numbers begin with 1, and puts its lines aside bit by bit."""
    doubts: list[Doubt] = []
    read = _reader(settings, doubts)

    def convert(work: Sequence[Work], put: Put) -> Batch:
        batch = Batch(source_of(work[0]))
        reading = Reading(read, doubts, batch.issues.append)
        with naming(batch.source), _told_in(batch):
            for block in chain.from_iterable(map(_blocks, work)):
                put(_lines(reading.tasks([block]), batch))
        return batch

    return convert


def _blocks(work: Work) -> Iterable[Block]:
    return [work] if isinstance(work, Block) else sources.blocks_of(work)


def _lines(items: Iterable[Task | Reject], batch: Batch) -> bytes:
    """The tasks as lines, counted in the batch, which the rejects go to."""
    lines: list[bytes] = []
    for item in items:
        if isinstance(item, Task):
            kind = (item.provider, item.status)
            batch.tasks[kind] = batch.tasks.get(kind, 0) + 1
            lines.append(item.to_json())
        else:
            batch.rejects.append(item)
    lines.append(b"")
    return b"\n".join(lines)


@contextmanager
def _told_in(batch: Batch) -> Generator[None, None, None]:
    try:
        yield
    except sources.DocumentBegins as found:
        batch.document = found.offset


def _reader(settings: Settings, doubts: list[Doubt]) -> Callable[[Record], Task]:
    if not settings.from_raw:
        return records.normalizer(settings.provider, keep_raw=settings.keep_raw, on_doubt=doubts.append)
    read = records.normalizer(settings.provider)
    return lambda record: records.refreshed(read(record), keep_raw=settings.keep_raw, on_doubt=doubts.append)
