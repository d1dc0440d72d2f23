"""Who does the work of `mjbridge.normalize`, each in a module of its own, as well as its library can."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from mjbridge.task import Task, decode


class Sample(msgspec.Struct, frozen=True):
    """The records: each by itself, and all of them as a file of JSON lines."""

    lines: list[bytes]
    path: Path


Run = Callable[[Sample], Iterable[bytes]]
"""The work, done while its answer is consumed: JSON lines, in pieces of any size."""


def answers(run: Run, sample: Sample) -> Iterator[Task]:
    """What a contestant makes of each record, as the canonical records say it that it has written."""
    for piece in run(sample):
        yield from map(decode, piece.splitlines())
