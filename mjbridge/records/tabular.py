"""CSV, each row as a JSON object."""

import csv
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from mjbridge.errors import MalformedRecord
from mjbridge.fields import decode_json
from mjbridge.records.windows import ID_KEYS, Block, Window
from mjbridge.wire import JSON_LIMIT

_JSON_BEGINS: Final = ("[{", '["', '{"')
_DELIMITERS: Final = (",", ";", "\t")


def delimiter(line: bytes) -> str | None:
    """What separates the columns of a header, which names an id; None if the line is none."""
    return next((each for each in _DELIMITERS if _names_an_id(_columns(line, each))), None)


def _columns(line: bytes, separator: str) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8", "replace").strip()], delimiter=separator), list[str]())
    except csv.Error:
        return []


def _names_an_id(columns: list[str]) -> bool:
    return len(columns) > 1 and not set(ID_KEYS).isdisjoint(columns)


def rows(window: Window) -> Iterator[Block]:
    """Each row as a JSON object, mostly of texts: the lenient readers take them."""
    line = window.data.partition(b"\n")[0]
    separator = delimiter(line) or ","
    header = _columns(line, separator)
    window.drop(len(line) + 1)
    offset = window.offset
    fed: list[bytes] = []
    table = csv.reader(_fed(window, fed), delimiter=separator)
    while True:
        record, fault = _row(table, header)
        if record is None and not fault:
            return
        written = b"".join(fed)
        fed.clear()
        if fault or record:
            yield Block(window.name, [written if fault else record or b""], [offset], fault)
        offset += len(written)


def _row(rows: Iterator[list[str]], header: list[str]) -> tuple[bytes | None, str]:
    """The next row as JSON (empty for a blank line, None at the end), or why it is none."""
    try:
        row = next(rows, None)
    except csv.Error as error:
        return None, f"not CSV: {error}"
    if not row:
        return None if row is None else b"", ""
    if len(row) != len(header):
        return None, f"a row of {len(row)} values under a header of {len(header)}"
    try:
        return msgspec.json.encode(dict(zip(header, map(_cell, row), strict=True))), ""
    except UnicodeEncodeError:
        return None, "not UTF-8"


def _cell(text: str) -> Any:
    """A value of a row: text, unless it is JSON that can be nothing else."""
    if not text.startswith(_JSON_BEGINS):
        return text
    try:
        return decode_json(text)
    except MalformedRecord:
        return text


def _fed(window: Window, fed: list[bytes]) -> Iterator[str]:
    """The lines of the source, each remembered in `fed` until its row is read."""
    while True:
        end = window.data.rfind(b"\n") + 1 or (len(window.data) if len(window.data) > JSON_LIMIT else 0)
        lines = window.data[:end].splitlines(keepends=True)
        window.drop(end)
        for line in lines:
            fed.append(line)
            yield line.decode("utf-8", "surrogateescape")
        if not window.grow():
            break
    if window.data and not window.fault:
        fed.append(window.data)
        yield window.data.decode("utf-8", "surrogateescape")
