"""Records of any vendor as tasks: one at a time, whole documents, and two of the same task folded into one."""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import msgspec

from mjbridge import detection, fields
from mjbridge.errors import MalformedRecord
from mjbridge.fields import Record
from mjbridge.task import NO_RAW, Status, Task

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
_FILLED: Final = tuple(set(Task.__struct_fields__) - {"id", "provider", "status", "vendor_status", "properties", "raw"})

Shape = TypeVar("Shape")


class Reject(msgspec.Struct, frozen=True):
    """A record that is no task: its number in the source (from 1), why, and the record as JSON."""

    number: int
    reason: str
    record: msgspec.Raw


def normalize(record: Record, provider: str | None = None, *, keep_raw: bool = True) -> Task:
    """A vendor's record (poll reply, callback, list item) as a task. Without a `provider` the record must tell.

    Raises `MalformedRecord` for what is no task record, and `PluginError` for an unknown provider.
    """
    return normalizer(provider, keep_raw=keep_raw)(record)


def normalizer(provider: str | None = None, *, keep_raw: bool = True) -> Callable[[Record], Task]:
    """`normalize`, bound once for hot loops."""
    return detection.reader(keep_raw=keep_raw) if provider is None else detection.bound(provider, keep_raw=keep_raw)


def merge(old: Task, new: Task) -> Task:
    """Two records of one task as one, whichever arrived first. `ValueError` for two different tasks.

    The record that is further on decides, and what it leaves empty the other fills: completed, failed, cancelled, then
    processing, needs input, pending, unknown; of two alike the one with more progress, then the later to finish.
    """
    if old.id != new.id or any(_differ(old, new, name) for name in ("provider", "account")):
        raise ValueError(f"{old.provider} {old.ref} and {new.provider} {new.ref} are two tasks")
    earlier, later = sorted((old, new), key=_how_far)
    return carry(earlier, later)


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
    return msgspec.structs.replace(new, **filled, raw=raw, properties={**old.properties, **new.properties})


def read(document: bytes | str, provider: str | None = None) -> Iterator[Task | Reject]:
    """The tasks of a JSON document, in order: a record, a list, or a page around a list. No task: a `Reject`."""
    to_task = normalizer(provider)
    for number, record in enumerate(_unwrap(fields.encoded(document)), start=1):
        try:
            yield to_task(bytes(record))
        except MalformedRecord as error:
            yield Reject(number, str(error), record)


class _Page(msgspec.Struct):
    """The wrappers that vendors and their admin listings put around a list of records."""

    data: msgspec.Raw = NO_RAW
    items: msgspec.Raw = NO_RAW
    content: msgspec.Raw = NO_RAW
    list: msgspec.Raw = NO_RAW


def _unwrap(document: bytes) -> "list[msgspec.Raw]":
    if _is_list(document):
        return _parsed(document, list[msgspec.Raw])
    if _names_an_id(document):
        return [msgspec.Raw(document)]
    page = _parsed(document, _Page) if document.lstrip().startswith(b"{") else _Page()
    for inner in (page.items, page.content, page.list, page.data):
        if _is_list(bytes(inner)):
            return _parsed(bytes(inner), list[msgspec.Raw])
    # APIMart's unified reply is {"data": {a task}}, new-api's listing {"data": {"items": [...]}}.
    inside = _unwrap(bytes(page.data)) if bytes(page.data).lstrip().startswith(b"{") else []
    is_page = len(inside) != 1 or bytes(inside[0]) != bytes(page.data)
    return inside if inside and is_page else [msgspec.Raw(document)]


class _Record(msgspec.Struct):
    """What a record is told from a page by: an id of its own, whatever it calls it."""

    id: msgspec.Raw = NO_RAW
    mj_id: msgspec.Raw = NO_RAW
    document_id: msgspec.Raw = msgspec.field(default=NO_RAW, name="_id")
    stored_id: msgspec.Raw = msgspec.field(default=NO_RAW, name="Id")


def _names_an_id(document: bytes) -> bool:
    if not document.lstrip().startswith(b"{"):
        return False
    record = _parsed(document, _Record)
    return any(bytes(each) for each in (record.id, record.mj_id, record.document_id, record.stored_id))


def _is_list(document: bytes) -> bool:
    return document.lstrip().startswith(b"[")


def _parsed(document: bytes, kind: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRecord(f"not JSON: {error}") from None


def _differ(old: Task, new: Task, name: str) -> bool:
    return bool(getattr(old, name) and getattr(new, name)) and getattr(old, name) != getattr(new, name)


def _how_far(task: Task) -> tuple[Any, ...]:
    # The record itself comes last, so that the order never depends on which arrived first.
    finished = task.finished_at.timestamp() if task.finished_at else 0.0
    return (*_stage(task), finished, task.to_json())


def _stage(task: Task) -> tuple[int, int]:
    return _ORDER[task.status], task.progress or 0
