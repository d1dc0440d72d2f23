"""Lenient readers of vendors' values, none of which ever raises: what cannot be read is None, `()` or `{}`.

Those of whole records (`decode`, `decode_json`, `raw`) raise `MalformedRecord`.
"""

import math
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard, TypeVar, cast

import msgspec

from mjbridge.errors import MalformedRecord
from mjbridge.task import Button, Status, Task

Record = bytes | str | Mapping[str, Any]
"""A vendor's record as people have it: JSON bytes or text, or what a JSON reader made of it."""

Word = TypeVar("Word")
Meaning = TypeVar("Meaning")

NOT_AS_EXPECTED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a typed decoder raises for bytes that the lenient readers may still make sense of."""

# Extended JSON's word for bytes.
_BINARY: Final = "$binary"

# What MongoDB's shell writes as calls, which are no JSON, by Extended JSON's word for it.
_CALLS: Final = {
    b"NumberLong": b"$numberLong",
    b"NumberInt": b"$numberInt",
    b"NumberDecimal": b"$numberDecimal",
    b"ISODate": b"$date",
    b"ObjectId": b"$oid",
}
_CALL: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|(%b)\(\s*+"?([-+.:\w]*+)"?\s*+\)' % b"|".join(_CALLS), re.DOTALL)

_NUMBER = re.compile(r"\s*([+-]?\d{1,18}(?:\.\d{1,18})?)\s*(%?)\s*", re.ASCII)
# What is JSON, or began as such: a list of addresses that was written into a text, and did not all arrive.
_NO_ADDRESS = re.compile(r'\s*+(?:[\[{"]|(?:null)?+\s*+\Z)')
_SUGGESTION = re.compile(r"[1-9]\ufe0f?\u20e3")
_SHORTENED = "## Shortened prompts"

MIDJOURNEY_STATUSES: Final[Mapping[str, Status]] = {
    "NOT_START": Status.PENDING,
    "SUBMITTED": Status.PENDING,
    "IN_PROGRESS": Status.PROCESSING,
    "MODAL": Status.NEEDS_INPUT,
    "SUCCESS": Status.COMPLETED,
    "FAILURE": Status.FAILED,
    "CANCEL": Status.CANCELLED,
}
"""The words that most dialects took over from the first of them."""

# Epoch seconds, milliseconds and microseconds of any year from 2001 to 5138 do not overlap. What lies between them is
# no time: the year 10000 in milliseconds, which programs write for "never", is 1978 in microseconds.
FIRST_MILLISECOND: Final = 1e12
LAST_MILLISECOND: Final = 1e14
_EPOCH_UNITS: Final = ((0, 1e11, 1.0), (FIRST_MILLISECOND, LAST_MILLISECOND, 1e3), (1e15, 1e17, 1e6))


def text(value: object) -> str | None:
    """Text as it is, a number as text; None for empty text and anything else."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return str(value)
    except ValueError:
        return None  # more digits than Python makes a text of


def number(value: object) -> float | None:
    """A finite number, also when written as text (a `%` behind it is dropped)."""
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        return float(match[1]) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def whole(value: object) -> int | None:
    """A whole number, also when written as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def amount(value: object) -> int | float | None:
    """A number as it is, whole where it is whole."""
    found = whole(value)
    return number(value) if found is None else found


def progress(value: object) -> int | None:
    """Percent 0-100: `"65%"`, `"65"`, `65`, and `0.65` as the fraction it must be. Out of range is cut to it."""
    found = number(value)
    if found is None:
        return None
    is_percent = isinstance(value, int) or (isinstance(value, str) and "." not in value) or "%" in str(value)
    # Rounded first: 0.29 * 100 is 28.999999999999996.
    percent = found if is_percent or not 0 < found <= 1 else round(found * 100, 6)
    return max(0, min(100, int(percent)))


def moment(value: object) -> datetime | None:
    """A time as aware UTC: epoch seconds, milliseconds or microseconds by size, or ISO text. 0 and `""` are None.

    So is a number that is in none of these units a time from 2001 to 5138; in seconds, from 1970.
    """
    found = number(value)
    if found is None:
        return _iso(value) if isinstance(value, str) else None
    scale = next((scale for first, limit, scale in _EPOCH_UNITS if first <= found < limit), None)
    return datetime.fromtimestamp(found / scale, UTC) if scale and found else None


def _iso(value: str) -> datetime | None:
    try:
        return aware(datetime.fromisoformat(value.strip()))
    except (ValueError, OverflowError):
        return None


def aware(time: datetime) -> datetime:
    """A time in UTC, which one without a zone is taken to be in. `OverflowError` where no calendar has it."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


class Times(msgspec.Struct, array_like=True, gc=False):
    """A task's times, to be converted from epoch seconds all at once."""

    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


def milliseconds(value: datetime | None) -> int | None:
    """Epoch milliseconds, for `moment` to read back: before September 2001, in seconds."""
    if value is None:
        return None
    count = round(value.timestamp() * 1000)
    return count if count >= FIRST_MILLISECOND else seconds(value)


def seconds(value: datetime | None) -> int | None:
    """Epoch seconds, whole."""
    return None if value is None else int(value.timestamp())


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is what JSON calls an object."""
    return isinstance(value, Mapping)


def mapping(value: object) -> dict[str, Any]:
    """An object, copied; anything else, and bytes as `plain` has them, is `{}`."""
    return {str(key): item for key, item in value.items()} if is_object(value) and _BINARY not in value else {}


def each(value: object) -> Iterable[Any]:
    """The items of a list, nested lists flattened one level; an item alone is a list of one; None is none."""
    if value is None:
        return
    for item in _items(value):
        yield from _items(item)


def _items(value: object) -> Iterable[Any]:
    return cast("Iterable[Any]", value) if isinstance(value, list | tuple) else (value,)


def urls(value: object, *, key: str = "url") -> tuple[str, ...]:
    """Addresses from a list of texts or of objects that hold theirs under `key` (itself a text or a list).

    JSON in a text is none.
    """
    found = (item for entry in each(value) for item in each(entry.get(key) if is_object(entry) else entry))
    return tuple(dict.fromkeys(item for item in found if isinstance(item, str) and not _NO_ADDRESS.match(item)))


def pictures(shown: str | None, singles: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The picture of a task, never repeated among its singles; a single alone is the picture."""
    if not singles:
        return shown or None, ()
    if not shown and len(singles) == 1:
        return singles[0], ()
    return shown or None, tuple(url for url in singles if url != shown)


class WireButton(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """A button as every dialect writes it: the one object whose keys never change."""

    custom_id: str | None = None
    label: str | None = None
    emoji: str | None = None
    type: int | None = None
    style: int | None = None


def wire_buttons(value: object) -> list[WireButton]:
    """Buttons from a list, or from rows, of whatever holds a `customId`."""
    found = (item for item in each(value) if is_object(item))
    return [
        WireButton(
            text(item.get("customId")),
            text(item.get("label")),
            text(item.get("emoji")),
            whole(item.get("type")),
            whole(item.get("style")),
        )
        for item in found
    ]


def buttons(entries: Iterable[WireButton] | None) -> tuple[Button, ...]:
    """Canonical buttons; those without a custom id cannot be pressed and are left out."""
    # Not by a comprehension: until Python 3.12 that is a call, which one to three buttons do not repay.
    found: list[Button] = []
    for entry in entries or ():
        if entry.custom_id:
            button = Button(entry.custom_id, entry.label or "", entry.emoji or "", entry.type, entry.style)
            found.append(button)
    return tuple(found)


def word(value: object, canonical: Mapping[str, str] = {}) -> str:
    """A vendor's word in lower case, or the canonical word for it; `""` for none."""
    lowered = (text(value) or "").strip().lower()
    return canonical.get(lowered, lowered)


class Words(dict[Word, Meaning]):
    """What a vendor's words mean. A word that is not listed is left to `read`, every time: the table does not grow."""

    def __init__(self, listed: Mapping[Word, Meaning], read: Callable[[Word], Meaning]) -> None:
        super().__init__(listed)
        self._read = read

    def __missing__(self, unlisted: Word) -> Meaning:
        return self._read(unlisted)


PERCENTS: Final[Words[str | None, int | None]] = Words({f"{percent}%": percent for percent in range(101)}, progress)
"""What `progress` makes of a text, looked up where it is as it should be."""


def inverse(table: Mapping[Word, Meaning]) -> dict[Meaning, Word]:
    """A vendor's word for each meaning: of several words the last."""
    return {meaning: vendor_word for vendor_word, meaning in table.items()}


def status(word: str, statuses: Mapping[str, Status]) -> Status:
    """What a status word means, in upper case if not as it is."""
    return statuses.get(word) or statuses.get(word.upper(), Status.UNKNOWN)


def status_word(task: Task, statuses: Mapping[str, Status], words: Mapping[Status, str]) -> str:
    """The task's own status word where `statuses` reads it as the task's status, else the dialect's word for that."""
    own = status(task.vendor_status, statuses)
    return task.vendor_status if own is task.status else words[task.status]


def suggestions(answer: str | None) -> tuple[str, ...]:
    """The suggestions in the answer of describe or shorten: numbered by keycap emoji, else a line each."""
    if not answer:
        return ()
    told = answer.rpartition(_SHORTENED)[2]
    parts = _SUGGESTION.split(told)[1:] or told.splitlines()
    return tuple(filter(None, (part.strip() for part in parts)))


def join_suggestions(texts: Iterable[str]) -> str:
    """The inverse of `suggestions`: one text, numbered by keycap emoji."""
    return "\n\n".join(f"{number}\ufe0f\u20e3 {text}" for number, text in enumerate(texts, start=1))


def decode(record: Record) -> dict[str, Any]:
    """A record as a mapping; `MalformedRecord` if it is not one JSON object."""
    document = decode_json(record) if isinstance(record, bytes | str) else record
    if not is_object(document):
        raise MalformedRecord(f"a record is a JSON object, and this is {_kind(document)}")
    return {str(key): plain(value) for key, value in document.items()}


def plain(value: Any) -> Any:
    """A database's value as JSON has it: bytes are text where they can be, as programs write that into a column.

    Others are Extended JSON's `$binary`, which no reader takes for a text.
    """
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {_BINARY: {"base64": b64encode(value).decode(), "subType": "00"}}


def decode_json(record: bytes | str) -> Any:
    """Any JSON document; `MalformedRecord` if it is not JSON."""
    try:
        return msgspec.json.decode(encoded(record))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedRecord(f"not JSON: {error}") from None


def encoded(record: bytes | str) -> bytes:
    """JSON bytes, without a byte order mark, and with Extended JSON for the calls of MongoDB's shell."""
    data = record.encode("utf-8", "surrogatepass") if isinstance(record, str) else record
    data = data.removeprefix(b"\xef\xbb\xbf")
    return _CALL.sub(_extended, data) if any(call in data for call in _CALLS) else data


def _extended(found: re.Match[bytes]) -> bytes:
    """A call as Extended JSON; a text, which may hold the like of one, as it is."""
    return b'{"%b":"%b"}' % (_CALLS[found[1]], found[2]) if found[1] else found[0]


def raw(record: Record) -> msgspec.Raw:
    """The record as `Task.raw` keeps it: byte for byte where it came as bytes or text."""
    if isinstance(record, bytes | str):
        return msgspec.Raw(encoded(record))
    values = {key: plain(value) for key, value in record.items()} if is_object(record) else record
    try:
        return msgspec.Raw(msgspec.json.encode(values, enc_hook=_object))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise MalformedRecord(f"the record holds what JSON cannot: {error}") from None


def _object(value: object) -> object:
    if is_object(value):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


_KINDS: Final[Mapping[type, str]] = {
    type(None): "null",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    list: "a list",
}


def _kind(document: object) -> str:
    """What JSON calls it."""
    return _KINDS.get(type(document), type(document).__name__)
