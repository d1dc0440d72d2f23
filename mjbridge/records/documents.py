"""JSON documents: one, a list, a page around a list, or several, one behind the other, cut into records.

Brackets are followed, not parsed, so that a record is found whole or broken; what stands around it is never held.
"""

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Final

import msgspec

from mjbridge.fields import NOT_AS_EXPECTED
from mjbridge.records.brackets import (
    CLOSED_BY,
    IN_STRING,
    LIST,
    OBJECT,
    SCALAR,
    SEPARATORS,
    WITHIN,
    WORD,
    after,
    closing,
    has_lost_its_end,
    skim,
)
from mjbridge.records.pages import KEY, LIST_OF_RECORDS, WRAPPERS, is_identified, is_page
from mjbridge.records.salvage import FIRST_KEY, Search, salvaged
from mjbridge.records.windows import BLOCK, FIRST_BYTES, Block, Place, Window, is_json_object, limit, too_large
from mjbridge.wire import JSON_LIMIT


def values(window: Window, *around: bytes) -> Iterator[Block]:
    """The values of a source. Lists, and pages too long for a window, are entered: only their records are held.

    `around` is what the window's beginning stands in, if that is no longer to be seen.
    """
    enclosing = [*around]
    while True:
        places, position = _cut(window.data, enclosing)
        if places:
            yield window.block(places)
        window.drop(position)
        if broken := _broken_value(window, enclosing):
            yield broken
        elif len(window.data) > limit(window.data):
            yield _long_value(window)
        # Twice as much each time, so that a long record is not looked at too often.
        elif not window.grow(max(BLOCK, len(window.data))):
            break
    if window.data and not window.fault:
        yield window.block([(0, len(window.data))])
    elif enclosing and not window.fault:
        yield window.unreadable("the file is cut: its list does not end")


def _cut(data: bytes, enclosing: list[bytes], position: int = 0) -> tuple[list[Place], int]:
    """The whole records in the window, and where they end; `enclosing` follows what the records stand in."""
    places: list[Place] = []
    alike_tried = False
    position = after(SEPARATORS, data, position)
    while position < len(data):
        if enclosing[-1:] == [LIST] and not alike_tried:
            alike_tried = True
            found = _alike(data, position)
            end = found[-1][1] if found else position
        else:
            found, end = _next(data, position, enclosing)
            if end < 0:
                break
        places += found
        position = after(SEPARATORS, data, end)
    return places, position


def _next(data: bytes, position: int, enclosing: list[bytes]) -> tuple[list[Place], int]:
    """The record that begins here, unless this only stands around some; and where to go on (-1: it may go on)."""
    here = data[position : position + 1]
    if here == b'"' and enclosing[-1:] == [OBJECT]:
        key = KEY.match(data, position)
        if key and key.end() == len(data):
            return [], -1
        if key and key[2]:
            return _member(data, key.end(), key[1] in WRAPPERS, enclosing)
    if here in (b"[", b"{", LIST, OBJECT):
        end, is_record = _bracketed(data, position, enclosing)
    elif enclosing:
        end, is_record = _scalar(data, position), True
    else:
        end, is_record = -1, False  # what stands between documents is none, up to where the next begins
    return [(position, end)] if is_record else [], end


def _scalar(data: bytes, position: int) -> int:
    """The end of a value without brackets; -1 if it may go on, or is none."""
    found = SCALAR.match(data, position)
    return found.end() if found and found.end() - position <= JSON_LIMIT else -1


def _member(data: bytes, position: int, is_wrapper: bool, enclosing: list[bytes]) -> tuple[list[Place], int]:
    """What `_next` tells, of the value of a page's member."""
    here = data[position : position + 1]
    if here not in CLOSED_BY:
        return [], position if here in (LIST, OBJECT) else _scalar(data, position)
    if is_wrapper and LIST_OF_RECORDS.match(data, position):
        enclosing.append(LIST)
        return [], position + 1
    end = closing(data, position)
    is_whole = 0 <= end - position <= limit(data, position)
    if is_wrapper and here == b"{":
        if is_whole and is_identified(data[position:end]):
            return [(position, end)], end
        if is_page(data, position):
            enclosing.append(OBJECT)
            return [], position + 1
        if is_whole and not is_json_object(data[position:end]):
            return [(position, end)], end
    return [], end if is_whole else -1


def _bracketed(data: bytes, position: int, enclosing: list[bytes]) -> tuple[int, bool]:
    """The end of what begins here (-1: further on), and whether it is a record or only encloses some."""
    bracket = data[position : position + 1]
    if bracket in (LIST, OBJECT):
        del enclosing[-1:]
        return position + 1, False
    if bracket == b"[" and LIST not in enclosing:
        enclosing.append(LIST)
        return position + 1, False
    end = closing(data, position)
    is_whole = 0 <= end - position <= limit(data, position)
    if not enclosing and is_page(data, position) and not (is_whole and is_json_object(data[position:end])):
        enclosing.append(OBJECT)
        return position + 1, False
    return end if is_whole else -1, True


def _alike(data: bytes, position: int) -> list[Place]:
    """The elements of a list up to the last in the window that begins as the first does; none if that is no JSON.

    It ends before an element that is longer than any record.

    Cutting them by the parser is ten times faster than by brackets.
    """
    begins = FIRST_KEY.match(data, position)
    last = data.rfind(begins[0], position + 1) if begins else -1
    if last < 0:
        return []
    try:
        elements = _as_list(b"[" + data[position:last].rstrip(b", \t\r\n") + b"]")
    except NOT_AS_EXPECTED:
        return []
    places = _places(data, elements, position)
    return list(takewhile(lambda place: place[1] - place[0] <= limit(data, place[0]), places))


def _places(data: bytes, elements: Iterable[msgspec.Raw], position: int) -> Iterator[Place]:
    for element in map(bytes, elements):
        start = data.index(element, position)
        position = start + len(element)
        yield start, position


def _broken_value(window: Window, enclosing: list[bytes]) -> Block | None:
    """The value at the window's beginning, if it has lost its end, and where the next begins is to be seen."""
    is_long = len(window.data) > limit(window.data)
    key = KEY.match(window.data) if enclosing[-1:] == [OBJECT] else None
    value = window.data[key.end() :] if key else window.data
    is_broken = has_lost_its_end(value) or (not enclosing and value[:1] not in CLOSED_BY)
    if is_long and not is_broken and closing(value, 0) > 0:
        return None  # it has its end, and is only too long
    following = Search(window.data).following() if is_broken or is_long else 0
    end = following or (len(window.data) if is_broken and is_long else 0)
    if not end:
        return None
    broken = window.block([(0, end)])
    window.drop(end)
    return broken


def _long_value(window: Window) -> Block:
    """The value at the window's beginning, which is longer than any record, by its first bytes."""
    offset, first = window.offset, window.data[:FIRST_BYTES]
    _skip(window)
    return too_large(window, offset, first)


def _skip(window: Window) -> None:
    """Drop the value at the window's beginning, however long, with the key before it."""
    if (key := KEY.match(window.data)) and key[2]:
        window.drop(key.end())
    if window.data[:1] not in CLOSED_BY:
        _skip_scalar(window)
        return
    missing: list[bytes] = []
    while True:
        window.drop(skim(window.data, 0, missing))
        if not missing:
            return
        if window.data:
            window.drop(1)
            _skip_text(window)
        elif not window.grow():
            return
        if window.data:
            window.drop(after(WITHIN, window.data, 0))


def _skip_scalar(window: Window) -> None:
    if window.data.startswith(b'"'):
        window.drop(1)
        _skip_text(window)
        return
    window.drop(after(WORD, window.data, 0))
    while not window.data and window.grow():
        window.drop(after(WORD, window.data, 0))


def _skip_text(window: Window) -> None:
    while True:
        window.drop(after(IN_STRING, window.data, 0))
        if window.data.startswith(b'"'):
            window.drop(1)
            return
        if not window.grow():
            window.drop(len(window.data))
            return


# What a record that no reader takes may hold instead.


_as_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def within(record: bytes) -> Iterable[Block] | None:
    """The records inside a list, a page, or a text of several; None if there are none to tell."""
    try:
        msgspec.json.decode(record, type=msgspec.Raw)
        places = _listed(record)
    except NOT_AS_EXPECTED:
        return _entered(record) or salvaged(record)
    return None if places is None else [Block.of(record, places)]


def _listed(document: bytes) -> list[Place] | None:
    start = after(SEPARATORS, document, 0)
    if document.startswith(b"[", start):
        elements = _as_list(document)
        holds_records = not elements or any(bytes(each).startswith(b"{") for each in elements)
        return list(_places(document, elements, start)) if holds_records else None
    if not document.startswith(b"{", start) or is_identified(document) or not is_page(document, start):
        return None
    places, end = _cut(document, [OBJECT], start + 1)
    return places if end == len(document) else [*places, (end, len(document))]


def _entered(text: bytes) -> Iterator[Block] | None:
    """What stands in a broken list or page, which is read like one that is too long to be seen whole."""
    start = after(SEPARATORS, text, 0)
    around = [LIST] if text.startswith(b"[", start) else [OBJECT] if is_page(text, start) else []
    # Piece by piece, so that of the many that may be broken none costs all of the text.
    pieces = (text[place : place + BLOCK] for place in range(start + 1, len(text), BLOCK))
    return values(Window("", pieces, start + 1), *around) if around else None
