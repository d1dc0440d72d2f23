"""Records in bulk: blocks of them through one process or several, in order, each as lines of canonical JSON."""

import gc
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import msgspec

from mjbridge.bulk.conversion import Batch, Settings, Summary, Work, converter
from mjbridge.bulk.files import naming
from mjbridge.bulk.latest import Latest
from mjbridge.records import sources
from mjbridge.records.streams import Issue, Reject
from mjbridge.records.windows import Block

__all__ = ["BETWEEN", "Batch", "Latest", "Settings", "Summary", "Work", "batches"]

BETWEEN: Final = Block("", [], [])
"""No work, and no source: behind it records are counted from 1, though the same file be read once more."""

Numbered = TypeVar("Numbered", Reject, Issue)


def batches(work: Iterable[Work], settings: Settings, workers: int = 1) -> Generator[Batch, None, None]:
    """The batches of all records in order, `workers` processes at work; their numbers count those of each source."""
    made = map(_batch_maker(settings), work) if workers == 1 else _in_parallel(work, settings, workers)
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


def _batch_maker(settings: Settings) -> Callable[[Work], Batch]:
    """What makes a batch of one piece of work, its lines in it."""
    convert = converter(settings)

    def make(work: Work) -> Batch:
        lines: list[bytes] = []
        batch = convert([work], lines.append)
        batch.lines = b"".join(lines)
        return batch

    return make


def _in_parallel(work: Iterable[Work], settings: Settings, workers: int) -> Iterator[Batch]:
    from mjbridge.bulk.workers import in_parallel  # noqa: PLC0415 it loads multiprocessing, which one process does without

    convert = _batch_maker(settings)
    done: str | None = None
    for batch in in_parallel(work, settings, workers):
        if batch.source == done:
            continue  # a span of a file that is read to its end
        done = None
        yield batch
        if batch.document is not None:
            done = batch.source
            with naming(done):
                yield from map(convert, sources.rest(done, batch.document))


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
