"""What comes of a source of records, and records so large that tests need a smaller limit."""

import pytest

from mjbridge import Task, records
from mjbridge.records import documents, sources, tabular, windows
from mjbridge.records.sources import Source
from mjbridge.records.streams import Reject

LIMIT = 2**20
"""Bytes of the largest record, once `lower_limit` was called."""


def read(source: Source) -> list[Task | Reject]:
    """The tasks and rejects of a source of the family's records."""
    return list(records.read(source, "mjproxy"))


def told_ids(source: Source) -> list[str]:
    """The tasks' ids; a reject by its record."""
    return [item.id if isinstance(item, Task) else repr(bytes(item.record)) for item in read(source)]


def lower_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a record be `LIMIT` bytes and no more, and a task of our own four times as many."""
    for module in (documents, sources, tabular, windows):
        monkeypatch.setattr(module, "JSON_LIMIT", LIMIT)
    monkeypatch.setattr(windows, "TASK_LIMIT", 4 * LIMIT)
