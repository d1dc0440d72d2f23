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
from mjbridge.wire import JSON_LIMIT

_SEPARATORS: Final = re.compile(rb"[\s,]*+")
_STRING: Final = rb'"(?:[^"\\\n]++|\\.)*+"'
_UNQUOTED: Final = rb'[^\s,"\[\]{}]++'
_SCALAR: Final = re.compile(b"(?:" + _STRING + b"|" + _UNQUOTED + rb")(?=[\s,\[\]{}])", re.DOTALL)
# What stands where a scalar does, and can be none: something follows it at once, or its line ends within it.
_NO_SCALAR: Final = re.compile(_STRING + rb"(?=[^\s,\[\]{}])|" + _UNQUOTED + rb'"|"(?:[^"\\\n]++|\\.)*+\n', re.DOTALL)
# A text and what JSON (or the end of a call of MongoDB's shell) allows behind it. Where a record has lost its end
# within a text, the next quote begins what stands between two texts, and that is never so.
_TEXT: Final = _STRING + rb"(?=[\s:,\]})]|\Z)"


def _closed(levels: int) -> bytes:
    """The pattern of a bracketed value that holds others, so many levels deep."""
    inner = b"|" + _closed(levels - 1) if levels else b""
    return rb'[\[{](?:[^"\[\]{}]++|' + _TEXT + inner + rb")*+[\]}]"


# All up to the next bracket that matters: most of a record in one step.
_WITHIN: Final = re.compile(rb'(?:[^"\[\]{}]++|' + _TEXT + b"|" + _closed(2) + b")*+", re.DOTALL)

# Where what follows a broken record may begin.
_BEGINNING: Final = re.compile(rb'\{\s*"(?:%b|schema_version)"\s*:' % "|".join(ID_KEYS).encode())
_FIRST_KEY: Final = re.compile(rb'\{\s*"[^"\\\n]*+"\s*:')

# A page is an object that shows no id of its own, and holds a list of records, or an object that does.
_OWN_ID: Final = rb'"(?:id|_id|Id|mj_id)"'
_WRAPPER: Final = rb'"(?:data|items|content|list)"\s*+:\s*+(?=[\[{])'
_PLAIN: Final = _STRING + rb"|[-+.\w]++"
# From an object's beginning, or from between two members, to the next value in brackets; a wrapper is in group 1.
_TO_BRACKETS: Final = re.compile(
    rb"[{,\s]*+(?:(?!" + _OWN_ID + b")" + _STRING + rb"\s*+:\s*+(?:" + _PLAIN + rb")[,\s]*+)*+"
    rb"(?:(" + _WRAPPER + b")|(?!" + _OWN_ID + b")" + _STRING + rb"\s*+:\s*+(?=[\[{]))",
    re.DOTALL,
)
_LIST_OF_RECORDS: Final = re.compile(rb"\[\s*+(?:(?:" + _PLAIN + rb")\s*+,\s*+)*+[{\]]", re.DOTALL)
# A key, so far as it is there; with its colon in group 2.
_KEY: Final = re.compile(rb'("(?:[^"\\\n]++|\\.?)*+"?+)\s*+(:?+)\s*+')
_WRAPPERS: Final = frozenset({b'"data"', b'"items"', b'"content"', b'"list"'})
_WORD: Final = re.compile(_UNQUOTED)
_WHOLE_TEXT: Final = re.compile(_STRING, re.DOTALL)
_IN_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)

# What closes the list, and the page, that the window is in.
_LIST: Final = b"]"
_OBJECT: Final = b"}"
_CLOSED_BY: Final[Mapping[bytes, bytes]] = {b"[": _LIST, b"{": _OBJECT}
_DEEPEST_PAGE: Final = 3

_Span = tuple[int, int]


def values(window: Window, *around: bytes) -> Iterator[Block]:
    """The values of a source. Lists, and pages too long for a window, are entered: only their records are held.

    `around` is what the window's beginning stands in, if that is no longer to be seen.
    """
    enclosing = [*around]
    while True:
        spans, position = _cut(window.data, enclosing)
        if spans:
            yield window.block(spans)
        window.drop(position)
        if broken := _broken_value(window, enclosing):
            yield broken
        elif len(window.data) > JSON_LIMIT:
            yield _long_value(window)
        # Twice as much each time, so that a long record is not looked at too often.
        elif not window.grow(max(BLOCK, len(window.data))):
            break
    if window.data and not window.fault:
        yield window.block([(0, len(window.data))])
    elif enclosing and not window.fault:
        yield window.unreadable("the file is cut: its list does not end")


def _cut(data: bytes, enclosing: list[bytes], position: int = 0) -> tuple[list[_Span], int]:
    """The whole records in the window, and where they end; `enclosing` follows what the records stand in."""
    spans: list[_Span] = []
    alike_tried = False
    position = _after(_SEPARATORS, data, position)
    while position < len(data):
        if enclosing[-1:] == [_LIST] and not alike_tried:
            alike_tried = True
            found = _alike(data, position)
            end = found[-1][1] if found else position
        else:
            found, end = _next(data, position, enclosing)
            if end < 0:
                break
        spans += found
        position = _after(_SEPARATORS, data, end)
    return spans, position


def _next(data: bytes, position: int, enclosing: list[bytes]) -> tuple[list[_Span], int]:
    """The record that begins here, unless this only stands around some; and where to go on (-1: it may go on)."""
    here = data[position : position + 1]
    if here == b'"' and enclosing[-1:] == [_OBJECT]:
        key = _KEY.match(data, position)
        if key and key.end() == len(data):
            return [], -1
        if key and key[2]:
            return _member(data, key.end(), key[1] in _WRAPPERS, enclosing)
    if here in (b"[", b"{", _LIST, _OBJECT):
        end, is_record = _bracketed(data, position, enclosing)
    else:
        end, is_record = _scalar(data, position), True
    return [(position, end)] if is_record else [], end


def _scalar(data: bytes, position: int) -> int:
    """The end of a value without brackets; -1 if it may go on, or is none."""
    found = _SCALAR.match(data, position)
    return found.end() if found and found.end() - position <= JSON_LIMIT else -1


def _member(data: bytes, position: int, is_wrapper: bool, enclosing: list[bytes]) -> tuple[list[_Span], int]:
    """What `_next` tells, of the value of a page's member."""
    here = data[position : position + 1]
    if here not in _CLOSED_BY:
        return [], position if here in (_LIST, _OBJECT) else _scalar(data, position)
    if is_wrapper and _LIST_OF_RECORDS.match(data, position):
        enclosing.append(_LIST)
        return [], position + 1
    end = _closing(data, position)
    is_whole = 0 <= end - position <= JSON_LIMIT
    if is_wrapper and here == b"{":
        if is_whole and _is_identified(data[position:end]):
            return [(position, end)], end
        if _is_page(data, position):
            enclosing.append(_OBJECT)
            return [], position + 1
    return [], end if is_whole else -1


def _bracketed(data: bytes, position: int, enclosing: list[bytes]) -> tuple[int, bool]:
    """The end of what begins here (-1: further on), and whether it is a record or only encloses some."""
    bracket = data[position : position + 1]
    if bracket in (_LIST, _OBJECT):
        del enclosing[-1:]
        return position + 1, False
    if bracket == b"[" and _LIST not in enclosing:
        enclosing.append(_LIST)
        return position + 1, False
    end = _closing(data, position)
    is_whole = 0 <= end - position <= JSON_LIMIT
    if not is_whole and not enclosing and _is_page(data, position):
        enclosing.append(_OBJECT)
        return position + 1, False
    return end if is_whole else -1, True


def _is_page(data: bytes, position: int, levels: int = _DEEPEST_PAGE) -> bool:
    """Whether the object that begins here shows a list of records, or a page in it does, before an id of its own."""
    while levels and (found := _TO_BRACKETS.match(data, position)):
        position = found.end()
        if found[1] and (_LIST_OF_RECORDS.match(data, position) or _is_page(data, position, levels - 1)):
            return True
        position = _closing(data, position)
        if position < 0:
            break
    return False


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


def _is_broken(data: bytes) -> bool:
    """Whether the value that begins here shows that it has lost its end, wherever the window ends."""
    if data[:1] not in _CLOSED_BY:
        return _NO_SCALAR.match(data) is not None
    missing: list[bytes] = []
    end = _skim(data, 0, missing)
    return bool(missing) and _WHOLE_TEXT.match(data, end) is not None


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
        elif _WHOLE_TEXT.match(data, position) or data.find(b"\n", position) < 0:
            return position  # what stands here is no JSON; or the end, or a text that goes on
        position += 1  # no text of JSON holds a line end, so a quote here begins none
        if not missing:
            return position
        position = _after(_WITHIN, data, position)


def _broken_value(window: Window, enclosing: list[bytes]) -> Block | None:
    """The value at the window's beginning, if it has lost its end, and where the next begins is to be seen."""
    is_long = len(window.data) > JSON_LIMIT
    key = _KEY.match(window.data) if enclosing[-1:] == [_OBJECT] else None
    is_broken = _is_broken(window.data[key.end() :] if key else window.data)
    following = _Search(window.data).following() if is_broken or is_long else 0
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
    if (key := _KEY.match(window.data)) and key[2]:
        window.drop(key.end())
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
    window.drop(_after(_WORD, window.data, 0))
    while not window.data and window.grow():
        window.drop(_after(_WORD, window.data, 0))


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


class _Unidentified(msgspec.Struct):
    """What a page is told from a record by: it has no id of its own, whatever that is called."""

    id: msgspec.UnsetType = msgspec.UNSET
    mj_id: msgspec.UnsetType = msgspec.UNSET
    document_id: msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_id")
    stored_id: msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="Id")


_as_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_as_unidentified: Final = msgspec.json.Decoder(_Unidentified).decode


def _is_identified(document: bytes) -> bool:
    """Whether an object has an id of its own, or is no JSON: then it is a record, if a broken one."""
    try:
        _as_unidentified(document)
    except NOT_AS_EXPECTED:
        return True
    return False


def within(record: bytes) -> Iterable[Block] | None:
    """The records inside a list, a page, or a text of several; None if there are none to tell."""
    try:
        msgspec.json.decode(record, type=msgspec.Raw)
        spans = _listed(record)
    except NOT_AS_EXPECTED:
        return _entered(record) or _salvaged(record)
    return None if spans is None else [_block(record, spans)]


def _block(text: bytes, spans: list[_Span]) -> Block:
    return Block("", [text[start:end] for start, end in spans], [start for start, _ in spans])


def _listed(document: bytes) -> list[_Span] | None:
    start = _after(_SEPARATORS, document, 0)
    if document.startswith(b"[", start):
        elements = _as_list(document)
        holds_records = not elements or any(bytes(each).startswith(b"{") for each in elements)
        return list(_places(document, elements, start)) if holds_records else None
    if not document.startswith(b"{", start) or _is_identified(document) or not _is_page(document, start):
        return None
    spans, end = _cut(document, [_OBJECT], start + 1)
    return spans if end == len(document) else [*spans, (end, len(document))]


def _entered(text: bytes) -> Iterator[Block] | None:
    """What stands in a broken list or page, which is read like one that is too long to be seen whole."""
    start = _after(_SEPARATORS, text, 0)
    around = [_LIST] if text.startswith(b"[", start) else [_OBJECT] if _is_page(text, start) else []
    # Piece by piece, so that of the many that may be broken none costs all of the text.
    pieces = (text[place : place + BLOCK] for place in range(start + 1, len(text), BLOCK))
    return values(Window("", pieces, start + 1), *around) if around else None


def _salvaged(text: bytes) -> list[Block] | None:
    """A broken record and whole ones behind it that begin as it does, or several records in one line."""
    spans: list[_Span] = []
    start, is_whole = 0, False
    search = _Search(text)
    while start < len(text):
        end = search.whole(start)
        next_start = end or search.following(start) or len(text)
        spans.append((start, end or next_start))
        is_whole = is_whole or bool(end)
        start = _after(_CLOSERS, text, next_start)
    return [_block(text, spans)] if is_whole else None


_CLOSERS: Final = re.compile(rb"[\s,\]}]*+")
_MOST_TRIED: Final = 32
_MOST_WORK: Final = 8


class _Search:
    """Looks for whole records in a broken text.

    What looks like a record and has no end is looked at as far as the text goes, and the next again. So that a text
    made for it does not cost the square of its length, such looks may cost a few times the text and the way done, and
    each a quarter of what is left: all of the text at first, and then so far as records have been apart.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._spent = 0

    def following(self, start: int = 0) -> int:
        """Where behind a broken record the next whole one begins, which is told by beginning alike; 0 if nowhere."""
        begins = _FIRST_KEY.match(self._text, start)
        pattern = re.compile(re.escape(begins[0])) if begins else _BEGINNING
        tried = itertools.islice(pattern.finditer(self._text, start + 1), _MOST_TRIED)
        return next((found.start() for found in tried if self.whole(found.start())), 0)

    def whole(self, start: int) -> int:
        """The end of the JSON object that begins here; 0 if none does."""
        if not self._text.startswith(b"{", start):
            return 0
        left = _MOST_WORK * (len(self._text) + start) - self._spent
        seen = self._text[start : start + left // 4]
        end = _closing(seen, 0)
        if end > 0 and is_json_object(seen[:end]):
            return start + end
        self._spent += end if end > 0 else len(seen)
        return 0
