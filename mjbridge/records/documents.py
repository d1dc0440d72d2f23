"""JSON documents: one, a list, a page around a list, or several, one behind the other, cut into records.

Brackets are followed, not parsed, so that a record is found whole or broken; what stands around it is never held.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from mjbridge.fields import NOT_AS_EXPECTED
from mjbridge.records.windows import BLOCK, FIRST_BYTES, ID_KEYS, Block, Window, is_json_object, too_large
from mjbridge.task import NO_RAW
from mjbridge.wire import JSON_LIMIT

_SEPARATORS: Final = re.compile(rb"[\s,]*+")
_STRING: Final = rb'"(?:[^"\\\n]++|\\.)*+"'
_SCALAR: Final = re.compile(_STRING + rb'|"|[^\s,"\[\]{}]++')


def _closed(levels: int) -> bytes:
    """The pattern of a bracketed value that holds others, so many levels deep."""
    inner = b"|" + _closed(levels - 1) if levels else b""
    return rb'[\[{](?:[^"\[\]{}]++|' + _STRING + inner + rb")*+[\]}]"


# All up to the next bracket that matters: most of a record in one step.
_WITHIN: Final = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + b"|" + _closed(2) + b")*+", re.DOTALL)

# Where what follows a broken record may begin.
_BEGINNING: Final = re.compile(rb'\{\s*"(?:%b|schema_version)"\s*:' % "|".join(ID_KEYS).encode())
_FIRST_KEY: Final = re.compile(rb'\{\s*"[^"\\]*+"\s*:')

# The beginning of a page: an object that shows no id of its own before its list, or before the object with its list.
_PAGE: Final = re.compile(
    rb'\{\s*(?:"(?!(?:id|_id|Id|mj_id)")[^"\\]*+"\s*:\s*(?:' + _STRING + rb"|[-+.\w]++)\s*,\s*)*+"
    rb'"(?:data|items|content|list)"\s*:\s*(?=[\[{])',
    re.DOTALL,
)
_IN_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)

# What closes the list, and the page, that the window is in.
_LIST: Final = b"]"
_OBJECT: Final = b"}"
_CLOSED_BY: Final[Mapping[bytes, bytes]] = {b"[": _LIST, b"{": _OBJECT}

_Span = tuple[int, int]


def values(window: Window) -> Iterator[Block]:
    """The values of a source. Lists, and pages too long for a window, are entered: only their records are held."""
    enclosing: list[bytes] = []
    while True:
        spans, position = _cut(window.data, enclosing)
        if spans:
            yield window.block(spans)
        window.drop(position)
        if len(window.data) > JSON_LIMIT:
            yield _long_value(window)
        # Twice as much each time, so that a long record is not looked at too often.
        elif not window.grow(max(BLOCK, len(window.data))):
            break
    if window.data and not window.fault:
        yield window.block([(0, len(window.data))])
    elif enclosing and not window.fault:
        yield window.unreadable("the file is cut: its list does not end")


def _cut(data: bytes, enclosing: list[bytes]) -> tuple[list[_Span], int]:
    """The whole records in the window, and where they end; `enclosing` follows what the records stand in."""
    spans: list[_Span] = []
    alike_tried = False
    position = _after(_SEPARATORS, data, 0)
    while position < len(data):
        if enclosing[-1:] == [_LIST] and not alike_tried:
            alike_tried = True
            alike = _alike(data, position)
            end = alike[-1][1] if alike else position
            spans += alike
        elif data[position : position + 1] in (b"[", b"{", _LIST, _OBJECT) or enclosing[-1:] == [_OBJECT]:
            end, is_record = _bracketed(data, position, enclosing)
            if end < 0:
                break
            if is_record:
                spans.append((position, end))
        else:
            end = _after(_SCALAR, data, position)
            if (
                end - position > JSON_LIMIT
                or end == len(data)
                or (data[position:end] == b'"' and data.find(b"\n", position) < 0)
            ):
                break  # it may go on
            spans.append((position, end))
        position = _after(_SEPARATORS, data, end)
    return spans, position


def _bracketed(data: bytes, position: int, enclosing: list[bytes]) -> tuple[int, bool]:
    """The end of what begins here (-1: further on), and whether it is a record or only encloses some."""
    bracket = data[position : position + 1]
    if enclosing[-1:] == [_OBJECT]:
        missing = [enclosing[-1]]
        end = _skim(data, _after(_WITHIN, data, position), missing)
        if missing:
            return -1, False
        enclosing.pop()
        return end, False
    if bracket in (_LIST, _OBJECT):
        del enclosing[-1:]
        return position + 1, False
    if bracket == b"[" and _LIST not in enclosing:
        enclosing.append(_LIST)
        return position + 1, False
    end = _closing(data, position)
    if end < 0 and not enclosing and (list_start := _page_list(data, position, enclosing)):
        return list_start, False
    return -1 if end - position > JSON_LIMIT else end, True


def _page_list(data: bytes, position: int, enclosing: list[bytes]) -> int:
    """Where the list of the page that begins here begins; 0 if it is no page."""
    levels = 0
    while found := _PAGE.match(data, position):
        position, levels = found.end(), levels + 1
        if data[position : position + 1] == b"[":
            enclosing += [_OBJECT] * levels + [_LIST]
            return position + 1
    return 0


def _alike(data: bytes, position: int) -> list[_Span]:
    """The elements of a list up to the last in the window that begins as the first does; none if that is no JSON.

    Cutting them by the parser is ten times faster than by brackets.
    """
    begins = _FIRST_KEY.match(data, position)
    last = data.rfind(begins[0], position + 1) if begins else -1
    if last < 0:
        return []
    try:
        elements = _as_list(b"[" + data[position:last].rstrip(b", \t\r\n") + b"]")
    except NOT_AS_EXPECTED:
        return []
    return list(_places(data, elements, position))


def _places(data: bytes, elements: Iterable[msgspec.Raw], position: int) -> Iterator[_Span]:
    for element in map(bytes, elements):
        start = data.index(element, position)
        position = start + len(element)
        yield start, position


def _after(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    found = pattern.match(data, position)
    return found.end() if found else position


def _closing(data: bytes, position: int) -> int:
    """Behind the bracket that closes the value that begins here; -1 if it is further on."""
    missing: list[bytes] = []
    end = _skim(data, position, missing)
    return -1 if missing else end


def _skim(data: bytes, position: int, missing: list[bytes]) -> int:
    """On until nothing is open, or nothing more is there; `missing` follows the brackets that are yet to come."""
    while True:
        here = data[position : position + 1]
        if here in _CLOSED_BY:
            missing.append(_CLOSED_BY[here])
        elif here in (_LIST, _OBJECT):
            if here != missing.pop():
                missing.clear()  # it closes what stands around this value, which has lost its own end
                return position
        elif data.find(b"\n", position) < 0:
            return position  # the end, or a text that goes on
        position += 1  # no text of JSON holds a line end, so a quote here begins none
        if not missing:
            return position
        position = _after(_WITHIN, data, position)


def _long_value(window: Window) -> Block:
    """The value at the window's beginning, which is longer than any record or has lost its end."""
    following = _following(window.data)
    if following:
        broken = window.block([(0, following)])
        window.drop(following)
        return broken
    offset, first = window.offset, window.data[:FIRST_BYTES]
    _skip(window)
    return too_large(window, offset, first)


def _skip(window: Window) -> None:
    """Drop the value at the window's beginning, however long."""
    if window.data[:1] not in _CLOSED_BY:
        _skip_scalar(window)
        return
    missing: list[bytes] = []
    while True:
        window.drop(_skim(window.data, 0, missing))
        if not missing:
            return
        if window.data:
            window.drop(1)
            _skip_text(window)
        elif not window.grow():
            return
        if window.data:
            window.drop(_after(_WITHIN, window.data, 0))


def _skip_scalar(window: Window) -> None:
    if window.data.startswith(b'"'):
        window.drop(1)
        _skip_text(window)
        return
    window.drop(_after(_SCALAR, window.data, 0))
    while not window.data and window.grow():
        window.drop(_after(_SCALAR, window.data, 0))


def _skip_text(window: Window) -> None:
    while True:
        window.drop(_after(_IN_STRING, window.data, 0))
        if window.data.startswith(b'"'):
            window.drop(1)
            return
        if not window.grow():
            window.drop(len(window.data))
            return


# What a record that no reader takes may hold instead.


class _Page(msgspec.Struct):
    """The wrappers that vendors and their admin listings put around a list of records."""

    items: msgspec.Raw = NO_RAW
    content: msgspec.Raw = NO_RAW
    list: msgspec.Raw = NO_RAW
    data: msgspec.Raw = NO_RAW
    # What a record is told from a page by: an id of its own, whatever it calls it.
    id: msgspec.UnsetType = msgspec.UNSET
    mj_id: msgspec.UnsetType = msgspec.UNSET
    document_id: msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_id")
    stored_id: msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="Id")


_as_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_as_page: Final = msgspec.json.Decoder(_Page).decode
_DEEPEST_PAGE: Final = 3


def within(record: bytes) -> list[tuple[int, bytes]] | None:
    """The records inside a list, a page, or a text of several, each with its place; None if there are none to tell."""
    try:
        msgspec.json.decode(record, type=msgspec.Raw)
        listed = _listed(record)
    except NOT_AS_EXPECTED:
        return _salvaged(record)
    if listed is None:
        return None
    return [(start, record[start:end]) for start, end in _places(record, listed, 0)]


def _listed(document: bytes, levels: int = _DEEPEST_PAGE) -> list[msgspec.Raw] | None:
    first = document.lstrip()[:1]
    if first == b"[":
        elements = _as_list(document)
        holds_records = not elements or any(bytes(each).startswith(b"{") for each in elements)
        return elements if holds_records else None
    if first != b"{" or not levels:
        return None
    try:
        page = _as_page(document)
    except msgspec.ValidationError:
        return None
    inner = (bytes(raw) for raw in (page.items, page.content, page.list, page.data))
    found = (_listed(raw, levels - 1) for raw in inner if raw[:1] in (b"[", b"{"))
    return next((each for each in found if each is not None), None)


def _salvaged(text: bytes) -> list[tuple[int, bytes]] | None:
    """A broken record and whole ones behind it that begin as it does, or several records in one line."""
    pieces: list[tuple[int, bytes]] = []
    start, is_whole = 0, False
    while start < len(text):
        end = _whole(text, start)
        next_start = end or _following(text, start) or len(text)
        pieces.append((start, text[start : end or next_start]))
        is_whole = is_whole or bool(end)
        start = _after(_CLOSERS, text, next_start)
    return pieces if is_whole else None


_CLOSERS: Final = re.compile(rb"[\s,\]}]*+")
_MOST_TRIED: Final = 32


def _following(text: bytes, start: int = 0) -> int:
    """Where behind a broken record the next whole one begins, which is told by beginning alike; 0 if nowhere."""
    begins = _FIRST_KEY.match(text, start)
    pattern = re.compile(re.escape(begins[0])) if begins else _BEGINNING
    tried = itertools.islice(pattern.finditer(text, start + 1), _MOST_TRIED)
    return next((found.start() for found in tried if _whole(text, found.start())), 0)


def _whole(text: bytes, start: int) -> int:
    """The end of the JSON object that begins here; 0 if none does."""
    if text[start : start + 1] != b"{":
        return 0
    end = _closing(text, start)
    return end if end > 0 and is_json_object(text[start:end]) else 0
