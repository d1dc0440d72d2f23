"""CSV, each row as a JSON object."""

import operator
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import msgspec

from mjbridge.errors import MalformedRecord
from mjbridge.fields import Record, decode_json
from mjbridge.records.windows import BLOCK, FIRST_BYTES, ID_KEYS, Block, Window, oversized
from mjbridge.wire import JSON_LIMIT

_JSON_BEGINS: Final = ("[{", '["', '{"')
_NULLS: Final = frozenset({"NULL", "null", r"\N"})
"""What SQL's null is in the exports of MySQL, phpMyAdmin and PostgreSQL: no picture's address, and no reason."""

_JSON_MARKS: Final = frozenset('[]{}"')
"""What no column's name has in it: a line of JSON may look like a header to `csv`."""

_DELIMITERS: Final = (",", ";", "\t")

# Blank lines, and the one that tells Excel what separates the columns.
_BEFORE_HEADER: Final = re.compile(rb'(?:[ \t\r]*+\n|"?sep=."?\r?\n)*+', re.IGNORECASE)


def delimiter(line: bytes) -> str | None:
    """What separates the columns of a header, which names an id; None if the line is none."""
    return next((each for each in _DELIMITERS if _names_an_id(_columns(line, each))), None)


def before_header(data: bytes) -> int:
    """How much stands before a table's header; 0 where there is none."""
    found = _BEFORE_HEADER.match(data)
    end = found.end() if found else 0
    return end if end and delimiter(data[end:].partition(b"\n")[0]) else 0


def _columns(line: bytes, separator: str) -> list[str]:
    own = _own_csv()
    try:
        return next(own.reader([line.decode("utf-8", "replace").strip()], delimiter=separator), list[str]())
    except own.Error:
        return []


def _names_an_id(columns: list[str]) -> bool:
    return len(columns) > 1 and not set(ID_KEYS).isdisjoint(columns) and _JSON_MARKS.isdisjoint("".join(columns))


def rows(window: Window) -> Iterator[Block]:
    """Each row as a JSON object, mostly of texts: the lenient readers take them. A column may stand twice."""
    header = window.data.partition(b"\n")[0]
    window.drop(len(header) + 1)
    lines = _Lines(window)
    records, offsets = list[Record](), list[int]()
    for row in _rows(lines, header, window.name, window.offset):
        if not row.fault:
            records += row.records
            offsets += row.offsets
        if records and (row.fault or lines.are_used_up):
            yield Block(window.name, records, offsets)
            records, offsets = [], []
        if row.fault:
            yield row
    if records:
        yield Block(window.name, records, offsets)


def _rows(lines: "_Lines", header: bytes, source: str, offset: int) -> Iterator[Block]:
    """Each row as a block, from `offset` on."""
    separator = delimiter(header) or ","
    columns = _columns(header, separator)
    # Files that were joined have theirs once more, with their byte order marks.
    headers = (columns, [f"\ufeff{columns[0]}", *columns[1:]])
    keys = [msgspec.json.encode(name) + b":" for name in columns]
    own = _own_csv()
    table = own.reader(lines, delimiter=separator, strict=True)
    while True:
        try:
            row = next(table, None)
            record, fault = _row([] if row in headers else row, keys)
        except (own.Error, _TooLarge) as error:
            record, fault = None, f"not CSV: {error}"
        if record is None and not fault:
            return
        written = lines.first() if fault else lines.all()
        size = _size(written)
        if size > len(written):
            yield oversized(source, offset, size, written)
        elif fault or record:
            yield Block(source, [written if fault else record or b""], [offset], fault)
        offset += size


@cache
def _own_csv() -> Any:
    """The module below `csv`, once more: its limit of a cell is the process's, and that one is not ours to set."""
    from importlib.util import find_spec, module_from_spec  # noqa: PLC0415 `import mjbridge` has a budget of modules

    specification: Any = find_spec("_csv")
    own: Any = module_from_spec(specification)
    specification.loader.exec_module(own)
    own.field_size_limit(JSON_LIMIT)
    return own


def _row(row: list[str] | None, keys: list[bytes]) -> tuple[bytes | None, str]:
    """A row as JSON (empty for a blank line, None at the end), or why it is none."""
    if not row:
        return None if row is None else b"", ""
    if len(row) != len(keys):
        return None, f"a row of {len(row)} values under a header of {len(keys)}"
    try:
        values = [msgspec.json.encode(_cell(text)) for text in row]
    except UnicodeEncodeError:
        return None, "not UTF-8"
    return b"{" + b",".join(map(operator.add, keys, values)) + b"}", ""


def _cell(text: str) -> Any:
    """A value of a row: text, unless it is SQL's null, or JSON that can be nothing else."""
    if text in _NULLS:
        return None
    if not text.startswith(_JSON_BEGINS):
        return text
    try:
        return decode_json(text)
    except MalformedRecord:
        return text


class _TooLarge(Exception):
    """A row is longer than any record may be."""


class _Lines:
    """The lines of a source for `csv`. A quote that nobody closes costs the line it is in, not all behind it."""

    def __init__(self, window: Window) -> None:
        self._source = _lines(window)
        self._read: list[bytes] = []
        self._left: list[bytes] = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while not self._left:
            self._left = next(self._source)[::-1]
        line = self._left.pop()
        self._read.append(line)
        self._size += _size(line)
        if self._size > JSON_LIMIT:
            raise _TooLarge(f"a row of more than {JSON_LIMIT} bytes")
        return line.decode("utf-8", "surrogateescape")

    @property
    def are_used_up(self) -> bool:
        """Whether the source has to be read on for the next line, which may take its time."""
        return not self._left

    def all(self) -> bytes:
        """What was read since it was asked for last."""
        read = b"".join(self._read)
        self._forget()
        return read

    def first(self) -> bytes:
        """The first line of that; the others are read again."""
        line, *others = self._read
        self._left += reversed(others)
        self._forget()
        return line

    def _forget(self) -> None:
        self._read.clear()
        self._size = 0


class _Beginning(bytes):
    """The beginning of a line that is longer than any record."""

    size = 0


def _size(line: bytes) -> int:
    return line.size if isinstance(line, _Beginning) else len(line)


def _lines(window: Window) -> Iterator[list[bytes]]:
    while True:
        if window.has_long_line:
            yield [_beginning(window)]
        end = window.data.rfind(b"\n") + 1
        lines = window.data[:end].splitlines(keepends=True)
        window.drop(end)
        yield lines
        # What is longer than a block is read in ever longer pieces, so that it is not copied too often.
        if not window.grow(len(window.data) - BLOCK):
            break
    if window.data and not window.fault:
        yield [window.data]


def _beginning(window: Window) -> _Beginning:
    offset, line = window.offset, _Beginning(window.data[:FIRST_BYTES])
    window.drop_line()
    line.size = window.offset - offset
    return line
