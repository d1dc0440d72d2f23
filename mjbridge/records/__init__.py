"""Records of any vendor as tasks: one at a time, whole documents, and two of the same task folded into one."""

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Any, Final

import msgspec

from mjbridge.doubts import Doubt, OnDoubt
from mjbridge.errors import MalformedRecord, PluginError
from mjbridge.fields import Record
from mjbridge.records import detection, sources
from mjbridge.records.sources import Source
from mjbridge.records.streams import OnIssue, Reading, Reject
from mjbridge.task import Status, Task

# How far a task has come. A task that waits for input was pending before, and is processed after.
_ORDER: Final = {
    Status.UNKNOWN: 0,
    Status.PENDING: 1,
    Status.NEEDS_INPUT: 2,
    Status.PROCESSING: 3,
    Status.CANCELLED: 4,
    Status.FAILED: 5,
    Status.COMPLETED: 6,
}
_EMPTY: Final = (None, "", ())
_NOT_IN_RAW: Final = "not in raw: left out"
_FILLED: Final = tuple(set(Task.__struct_fields__) - {"id", "provider", "status", "vendor_status", "properties", "raw"})


def normalize(record: Record, provider: str | None = None, *, keep_raw: bool = True) -> Task:
    """A vendor's record (poll reply, callback, list item) as a task. Without a `provider` the record must tell.

    Raises `MalformedRecord` for what is no task record, and `PluginError` for an unknown provider.
    """
    return normalizer(provider, keep_raw=keep_raw)(record)


def normalizer(
    provider: str | None = None, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None
) -> Callable[[Record], Task]:
    """`normalize`, bound once for hot loops. Values that could not be taken as they are go to `on_doubt`."""
    if provider is None:
        return detection.reader(keep_raw=keep_raw, on_doubt=on_doubt)
    return detection.bound(provider, keep_raw=keep_raw, on_doubt=on_doubt)


def merge(old: Task, new: Task) -> Task:
    """Two records of one task as one, whichever arrived first. `ValueError` for two different tasks.

    The record that is further on decides, and what it leaves empty the other fills: completed, failed, cancelled, then
    processing, needs input, pending, unknown; of two alike the one with more progress, then the later to finish.
    What a third record fills may depend on which two were merged first: `merge_all` takes any number in any order.
    """
    _check_one_task((old, new))
    earlier, later = sorted((old, new), key=_how_far)
    return carry(earlier, later)


def merge_all(tasks: Iterable[Task]) -> Task:
    """All records of one task as one, in whatever order they are: `merge` one by one fills by what came first.

    `ValueError` for records of different tasks, and for none. For those of many tasks see `latest`.
    """
    known = list(tasks)
    if not known:
        raise ValueError("there is no record to merge")
    _check_one_task(known)
    return reduce(carry, telling(known))


def latest(tasks: Iterable[Task]) -> list[Task]:
    """One task for each provider, account and id: all its records, merged. In order of first appearance."""
    found: dict[tuple[str, str, str], list[Task]] = {}
    for task in tasks:
        found.setdefault((task.provider, task.account, task.id), []).append(task)
    return [merge_all(known) for known in found.values()]


def telling(tasks: Iterable[Task]) -> list[Task]:
    """The records of one task, the furthest on last, without those of which the ones behind them tell everything."""
    *earlier, furthest = sorted(tasks, key=_how_far)
    found, told = [furthest], _said(furthest)
    for task in reversed(earlier):
        said = _said(task)
        if not said <= told:
            found.append(task)
            told |= said
    return found[::-1]


def is_behind(task: Task, other: Task) -> bool:
    """Whether a record tells of a moment before another's of the same task: an earlier state, or less progress."""
    return _stage(task) < _stage(other)


def carry(old: Task, new: Task) -> Task:
    """`new`, with what it leaves empty taken from `old`."""
    filled = {name: getattr(old, name) for name in _FILLED if getattr(new, name) in _EMPTY}
    if new.status is Status.COMPLETED and old.status is Status.FAILED:
        # A vendor's second thought: the reason of a failure that did not last is no part of the result.
        filled.pop("fail_reason", None)
    if filled.get("preview_url") in (new.image_url, old.image_url):
        # One proxy link shows the preview first and the picture later.
        filled.pop("preview_url", None)
    raw = new.raw if bytes(new.raw) else old.raw
    told = {key: value for key, value in new.properties.items() if value not in _EMPTY}
    properties = {**new.properties, **old.properties, **told}
    return msgspec.structs.replace(new, **filled, raw=raw, properties=properties)


def read(
    source: Source,
    provider: str | None = None,
    *,
    keep_raw: bool = True,
    on_issue: OnIssue | None = None,
) -> Iterator[Task | Reject]:
    """The records of a source, in order, each as a task or a reject; lists and pages around them are opened.

    Memory stays bounded, whatever the source: a document as bytes, a path, an open file, or records one by one. Values
    that could not be taken as they are go to `on_issue`. Raises `OSError` where the source cannot be read.
    """
    doubts: list[Doubt] = []
    to_task = normalizer(provider, keep_raw=keep_raw, on_doubt=doubts.append if on_issue else None)
    return Reading(to_task, doubts, on_issue).tasks(sources.blocks(source))


def refreshed(task: Task, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None) -> Task:
    """A task as today's code reads its `raw`; its account and attempts stay. Itself where it has no `raw`.

    What `merge` took from other records is not in `raw`: each such value goes to `on_doubt`.

    Raises `MalformedRecord` where its provider is not installed, or does not take the record any more.
    """
    record = bytes(task.raw)
    if not record:
        return task
    try:
        read_again = detection.bound(task.provider, keep_raw=keep_raw, on_doubt=on_doubt)(record)
    except PluginError as error:
        raise MalformedRecord(str(error), path="$.provider") from None
    again = msgspec.structs.replace(read_again, account=task.account, attempts=task.attempts)
    if on_doubt:
        for name in _FILLED:
            if (value := getattr(task, name)) not in _EMPTY and getattr(again, name) in _EMPTY:
                on_doubt(Doubt(f"$.{name}", msgspec.to_builtins(value), _NOT_IN_RAW))
    return again


def _said(task: Task) -> set[tuple[str, str]]:
    """What a task says anything of: its fields, each of its properties, and whether there is a record of it."""
    said = {(name, "") for name in _FILLED if getattr(task, name) not in _EMPTY}
    said.update(("empty" if value in _EMPTY else "properties", key) for key, value in task.properties.items())
    if bytes(task.raw):
        said.add(("raw", ""))
    return said


def _check_one_task(tasks: Iterable[Task]) -> None:
    """`ValueError` where two of them name different tasks; a record may leave its provider or account open."""
    for name in ("id", "provider", "account"):
        named = {getattr(task, name): task for task in tasks if getattr(task, name)}
        if len(named) > 1:
            first, second, *_ = named.values()
            raise ValueError(f"{_named(first)} and {_named(second)} are two tasks")


def _named(task: Task) -> str:
    """A task by all that it tells of whose it is."""
    return " ".join(filter(None, (task.provider, task.ref if task.account else task.id)))


def _how_far(task: Task) -> tuple[Any, ...]:
    # The record itself comes last, so that the order never depends on which arrived first.
    finished = task.finished_at.timestamp() if task.finished_at else 0.0
    return (*_stage(task), finished, task.to_json())


def _stage(task: Task) -> tuple[int, int]:
    return _ORDER[task.status], task.progress or 0
