"""Sources of records: any file, compressed or not, in any of the forms that people keep JSON in, cut into records.

A source is read in blocks of whole records, so memory stays bounded whatever its size. What is inside a record is
nobody's business here: a block holds bytes, and where in the decompressed source each record begins.
"""

import codecs
import io
import itertools
import operator
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

from mjbridge.fields import Record
from mjbridge.records import compression, documents, encodings, tabular
from mjbridge.records.windows import BLOCK, FIRST_BYTES, Block, Window, is_json_object, limit, too_large
from mjbridge.wire import JSON_LIMIT

_OTHER_FILES: Final = {
    b"PAR1": "a Parquet file holds columns: they are read by pyarrow and mjbridge.arrow",
    b"SQLite format 3\0": "an SQLite database: mjbridge normalize --from sqlite:///FILE --table NAME reads a table",
    b"PK\3\4": "a zip archive: unzip -p FILE | mjbridge normalize - reads what is in it; save a workbook as CSV",
}
"""Files whose records no reader of text finds, by how they begin, and the way to them."""
_LONGEST_START: Final = max(map(len, (*encodings.MARKS, *_OTHER_FILES)))

Source = (
    bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes] | IO[str] | Mapping[str, Any] | Iterable[Record]
)
"""A document as bytes; the path of a file, as text or `Path`; an open file; a record; records, one by one."""

_BYTES: Final = (bytes, bytearray, memoryview)

SPAN: Final = 2**21
"""Bytes of a span: so many that handing it to another process costs little beside reading it."""

_PIECE: Final = 2**16
"""Bytes of a span that are read at a time: so few that a processor has all that becomes of them close by."""


def blocks(source: Source, name: str | None = None) -> Iterator[Block]:
    """The records of a source; `name` is what messages call it. Raises `OSError` where it cannot be read at all."""
    if isinstance(source, _BYTES):
        yield from _of_file(io.BytesIO(bytes(source)), name or "")
    elif isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            yield from _of_file(file, name or str(source))
    elif isinstance(source, Mapping):
        yield from _of_records([cast("Mapping[str, Any]", source)], name or "")
    elif hasattr(source, "read"):
        opened = cast("IO[Any]", source)
        yield from _of_file(opened, name if name is not None else str(getattr(opened, "name", "")))
    else:
        yield from _of_records(source, name or "")


class Span(msgspec.Struct, frozen=True):
    """The lines of a file that begin in a span of it: what another process reads by itself."""

    path: str
    start: int
    end: int


def spans(path: str) -> list[Span] | None:
    """A file of plain JSON lines as spans of it; None for any other, which has to be read from its beginning."""
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(BLOCK)
    other = (*compression.MAGICS, *encodings.MARKS, codecs.BOM_UTF8, *_OTHER_FILES)
    begin, form = _begun(head)
    is_plain = form is _lines_and_documents and not head.startswith(other)
    return [Span(path, start, min(start + SPAN, size)) for start in range(begin, size, SPAN)] if is_plain else None


class DocumentBegins(Exception):
    """A file is no longer one of lines, from so many bytes on: `rest` reads that."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def blocks_of(span: Span) -> Iterator[Block]:
    """The records of a span; `DocumentBegins` where it holds more than lines."""
    with Path(span.path).open("rb") as file:
        if span.start:
            file.seek(span.start - 1)
            if not _has_line_end(file, span.end):
                return  # it is all inside of one line, which begins in an earlier span
        window = Window(span.path, _span_pieces(file, span.end), file.tell())
        if (yield from _lines(window)):
            raise DocumentBegins(window.offset)


def rest(path: str, offset: int) -> Iterator[Block]:
    """The records of a file from a document on that begins there."""
    with Path(path).open("rb") as file:
        file.seek(offset)
        yield from documents.values(Window(path, compression.decompressed(file), offset))


def _span_pieces(file: IO[bytes], end: int) -> Iterator[bytes]:
    piece = b"\n"
    while (left := end - file.tell()) > 0 and (piece := file.read(min(_PIECE, left))):
        yield piece
    while not piece.endswith(b"\n") and (piece := file.readline(BLOCK)):
        yield piece


def _has_line_end(file: IO[bytes], end: int) -> bool:
    """Read on, behind the next line end if there is one before `end`."""
    while (left := end - file.tell()) > 0 and (piece := file.readline(min(BLOCK, left))):
        if piece.endswith(b"\n"):
            return True
    return False


def _of_records(records: Iterable[Record], name: str) -> Iterator[Block]:
    # One by one: whoever gives them may wait for each.
    return (Block(name, [bytes(each) if isinstance(each, _BYTES) else each], [0]) for each in records)


def _of_file(file: IO[Any], name: str) -> Iterator[Block]:
    window = Window(name, compression.decompressed(file))
    window.grow(_LONGEST_START)
    if encoding := next((name for mark, name in encodings.MARKS.items() if window.data.startswith(mark)), None):
        window.recode(partial(encodings.as_utf8, encoding=encoding))
    if window.data.startswith(codecs.BOM_UTF8):
        window.drop(len(codecs.BOM_UTF8))
    if way := next((way for start, way in _OTHER_FILES.items() if window.data.startswith(start)), None):
        yield window.unreadable(way)
        return
    while not is_json_object(_first_line(window.data)) and len(window.data) < BLOCK and window.grow():
        pass  # a first line that is a record says enough; anything else takes a longer look
    begin, form = _begun(window.data)
    window.drop(begin)
    yield from form(window)
    if window.fault:
        yield window.unreadable(window.fault)


# Forms, by content: always by as much of it, however much a read happened to bring.

# A line that a document in several lines has, and a record in a line has not: a bracket, or a key, and no more.
_PRETTY: Final = re.compile(rb'^[ \t]*(?:[\[{]|"(?:[^"\\\n]++|\\.)*+"[ \t]*:[ \t])', re.MULTILINE)


def _first_line(data: bytes) -> bytes:
    line, end, _ = data.lstrip().partition(b"\n")
    return line if end else b""


def _begun(data: bytes) -> tuple[int, Callable[[Window], Iterator[Block]]]:
    """Where the first record or header of a source begins, and what reads on from there."""
    head = data[:BLOCK]
    begin = tabular.before_header(head)
    return begin, _form(head[begin:])


def _form(head: bytes) -> Callable[[Window], Iterator[Block]]:
    if is_json_object(_first_line(head)):
        return _lines_and_documents
    start = head.lstrip()[:1]
    lines = head.split(b"\n")
    written = list(filter(bytes.strip, lines))
    if start != b"[" and any(map(_stands_alone, written, [b"", *written])):
        return _lines_and_documents
    if start in (b"[", b"{"):
        return documents.values
    if tabular.delimiter(lines[0]):
        return tabular.rows
    return documents.values if _PRETTY.search(head) else _lines_and_documents


def _stands_alone(line: bytes, before: bytes) -> bool:
    """Whether a line is an object, and none inside of what the line before it leaves open: a page's last record."""
    return line.startswith(b"{") and not before.rstrip().endswith((b"[", b",", b":")) and is_json_object(line)


# JSON lines.

# A line that holds no more begins a document in several lines: files of both kinds were joined.
_OPENINGS: Final = (b"[", b"{")


def _lines_and_documents(window: Window) -> Iterator[Block]:
    if (yield from _lines(window)):
        yield from documents.values(window)


def _lines(window: Window) -> Generator[Block, None, bool]:
    """The lines of a window, up to a document in several lines; whether there is one."""
    while True:
        end = window.data.rfind(b"\n") + 1
        if window.has_long_line:
            yield _long_line(window)
        elif end:
            block = _line_block(window, window.data[: end - 1])
            if others := [*_openings(block), *_too_long(block, end)]:
                first = min(others)
                yield Block(window.name, block.records[:first], block.offsets[:first])
                window.drop(block.offsets[first] - window.offset)
                if block.records[first] in _OPENINGS:
                    return True
                continue
            yield block
            window.drop(end)
        # What is longer than a block is read in ever longer pieces, so that it is not copied too often.
        if not window.grow(len(window.data) - BLOCK):
            break
    if window.data and not window.fault:
        yield _line_block(window, window.data)
    return False


def _openings(block: Block) -> list[int]:
    return [block.records.index(each) for each in _OPENINGS if each in block.records]


def _too_long(block: Block, size: int) -> list[int]:
    """Lines behind a longer one that is no record, but a task: the window has grown with that."""
    lines = cast("list[bytes]", block.records) if size > JSON_LIMIT else ()
    return [place for place, line in enumerate(lines) if len(line) > limit(line)]


def _line_block(window: Window, data: bytes) -> Block:
    lines = data.split(b"\n")
    offsets = list(map(operator.add, itertools.accumulate(map(len, lines), initial=window.offset), itertools.count()))
    offsets.pop()
    if b"\r" in data:
        lines = [line.rstrip(b"\r") for line in lines]
    if b"" in lines:
        offsets = list(itertools.compress(offsets, lines))
        lines = list(filter(None, lines))
    return Block(window.name, cast("list[Record]", lines), offsets)


def _long_line(window: Window) -> Block:
    offset, first = window.offset, window.data[:FIRST_BYTES]
    window.drop_line()
    return too_large(window, offset, first)
