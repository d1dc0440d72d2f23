"""Who does the work of `mjbridge.normalize`, each in a module of its own, as well as its library can."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """The records: each by itself, and all of them as a file of JSON lines."""

    lines: list[bytes]
    path: Path


Run = Callable[[Sample], Iterable[bytes]]
"""The work, done while its answer is consumed: JSON lines, in pieces of any size."""


def answers(run: Run, sample: Sample) -> Iterator[dict[str, Any]]:
    """What a contestant makes of each record."""
    for piece in run(sample):
        yield from map(msgspec.json.decode, piece.splitlines())
