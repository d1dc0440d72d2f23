"""Streams of records: each becomes a task, or a reject that holds it; doubtful values are told as data."""

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from mjbridge import fields
from mjbridge.doubts import Doubt
from mjbridge.errors import MalformedRecord, MJBridgeError
from mjbridge.fields import Record
from mjbridge.printing import printable, raised
from mjbridge.records import documents
from mjbridge.records.windows import Block
from mjbridge.task import Task

_DEEPEST = 3


class Reject(msgspec.Struct, frozen=True):
    """A record that is no task, verbatim, and why.

    `number` counts the records of the source, from 1; `offset` is where in the decompressed source the record begins.
    """

    number: int
    reason: str
    record: msgspec.Raw
    offset: int = 0
    source: str = ""

    def to_json(self) -> bytes:
        """One line. `record` where it is JSON, else `text` where it is UTF-8, else `base64`."""
        place = {"source": self.source, "number": self.number, "offset": self.offset, "reason": self.reason}
        return msgspec.json.encode(place | _verbatim(bytes(self.record))).replace(b"\n", b" ").replace(b"\r", b" ")

    def __str__(self) -> str:
        return printable(f"{_place(self)}: {self.reason}")


class Issue(msgspec.Struct, frozen=True):
    """A value of a record that could not be taken as it is: where, the value, and what was done with it.

    `number`, `offset` and `source` name the record as those of a `Reject` do.
    """

    number: int
    path: str
    value: Any
    done: str
    offset: int = 0
    source: str = ""

    def to_json(self) -> bytes:
        """One line."""
        return msgspec.json.encode(self)

    def __str__(self) -> str:
        return printable(f"{_place(self)}: {self.path}: {self.done}")


OnIssue = Callable[[Issue], object]


class Reading:
    """Reads blocks of records, and counts the records of each source.

    `read` makes a task of a record, and leaves its doubts of it in `doubts`; from there they go to `on_issue`.
    """

    def __init__(
        self,
        read: Callable[[Record], Task],
        doubts: list[Doubt] | None = None,
        on_issue: OnIssue | None = None,
    ) -> None:
        self._read = read
        self._doubts = doubts
        self._on_issue = on_issue
        self._source = ""
        self._number = 0

    def tasks(self, blocks: Iterable[Block]) -> Iterator[Task | Reject]:
        """One task or reject for each record, in order."""
        for block in blocks:
            if block.source != self._source:
                self._source, self._number = block.source, 0
            yield from self._block(block, 0, _DEEPEST)

    def _block(self, block: Block, start: int, levels: int) -> Iterator[Task | Reject]:
        """What comes of records that are counted in bytes from `start`, and may stand in one another so deep."""
        if block.fault:
            self._number += 1
            yield self._reject(block.records[0], start + block.offsets[0], block.fault)
            return
        read, doubts = self._read, self._doubts
        for record, offset in zip(block.records, block.offsets, strict=True):
            try:
                task = read(record)
            except MalformedRecord as error:
                yield from self._refused(record, start + offset, str(error), levels)
            except MJBridgeError:
                raise
            except Exception as error:  # noqa: BLE001 a plugin's reader may raise anything, and the others are to be read
                yield from self._refused(record, start + offset, f"the provider failed at it: {raised(error)}", levels)
            else:
                self._number += 1
                if doubts:
                    self._tell(doubts, start + offset)
                yield task

    def _refused(self, record: Record, offset: int, reason: str, levels: int) -> Iterator[Task | Reject]:
        """What a refused record holds instead: a list, a page, several records; else it is a reject."""
        if self._doubts:
            self._doubts.clear()
        data = bytes(_raw(record))
        blocks = documents.within(data) if levels else None
        if blocks is not None:
            for block in blocks:
                yield from self._block(block, offset, levels - 1)
        elif data.strip():
            self._number += 1
            yield self._reject(record, offset, reason)

    def _reject(self, record: Record, offset: int, reason: str) -> Reject:
        return Reject(self._number, reason, _raw(record), offset, self._source)

    def _tell(self, doubts: list[Doubt], offset: int) -> None:
        for doubt in doubts:
            if self._on_issue:
                self._on_issue(Issue(self._number, doubt.path, doubt.value, doubt.done, offset, self._source))
        doubts.clear()


def _raw(record: Record) -> msgspec.Raw:
    try:
        return msgspec.Raw(record) if isinstance(record, bytes) else fields.raw(record)
    except MalformedRecord:
        return msgspec.Raw(repr(record).encode("utf-8", "replace"))


def _verbatim(record: bytes) -> dict[str, Any]:
    try:
        msgspec.json.decode(record)
        return {"record": msgspec.Raw(record)}
    except fields.NOT_AS_EXPECTED:
        pass
    try:
        return {"text": record.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(record).decode()}


def _place(item: Reject | Issue) -> str:
    source = f"{item.source}: " if item.source else ""
    return f"{source}record {item.number} at byte {item.offset}"
