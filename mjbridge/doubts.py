"""Doubtful values of a record: what is there, and left no trace in its task.

What a typed parser took can hold nothing worse than text that no reader makes sense of, and the task shows that. What
was read leniently is compared, value by value, with what was made of it. So no reader has to tell of its doubts.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, cast

import msgspec

from mjbridge.task import Status, Task

LEFT_OUT: Final = "unreadable: left out"
_NO_TEXT: Final = "no text: left in properties"
_NO_STATUS: Final = "no known status: read as unknown"

_UNKNOWN: Final = Status.UNKNOWN
_SAYS_NOTHING: Final = frozenset({"", "0", "[]", "{}", "null"})

# What a progress that is out of range is read as, and what nearly always stands there in earnest.
_ENDS: Final = frozenset({0, 100})
_AT_THE_ENDS: Final = frozenset({"0%", "100%", "0", "100", 0, 100})
_PERCENT: Final = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)")


class Doubt(msgspec.Struct, frozen=True):
    """A value that could not be taken as it is: its path in the record, the value, and what was done with it."""

    path: str
    value: Any
    done: str


OnDoubt = Callable[[Doubt], object]


def _in_wire_form(record: Mapping[str, Any]) -> Mapping[str, str]:
    del record
    return {}


class Origins(msgspec.Struct, frozen=True, dict=True):
    """Where the values of a task come from, for a provider whose records become a wire struct.

    `fields`: for a field of `Task`, the fields of the wire struct. `wrapper`: the field of the wire struct that may
    hold another, with the task in it. `stored`: for a record that is not in wire form, its keys by wire key. `taken`:
    the keys of its `properties` that have a field of `Task`, and are left there if they hold no text.
    """

    fields: Mapping[str, Sequence[str]]
    wrapper: str = ""
    stored: Callable[[Mapping[str, Any]], Mapping[str, str]] = _in_wire_form
    taken: frozenset[str] = frozenset()

    @cached_property
    def shown(self) -> Callable[[Task], tuple[Any, ...]]:
        """A task's status, its progress and its `fields`: taken at once, since every record is asked for them."""
        return attrgetter("status", "progress", *self.fields)


def of_task(
    task: Task,
    wire: msgspec.Struct,
    origins: Origins,
    on_doubt: OnDoubt,
    record: Mapping[str, Any] | msgspec.Raw,
) -> None:
    """What the wire struct holds and the task does not show, as it stands in the record."""
    # Asked for every record, and nearly none has anything to tell.
    inner = getattr(wire, origins.wrapper) if origins.wrapper else None
    held = wire if inner is None else inner
    unshown = _unshown(task, held, origins)
    if not unshown and origins.taken.isdisjoint(task.properties):
        return
    own, root = _decoded(record), "$"
    keys = origins.stored(own)
    if held is not wire:
        own, root = own[origins.wrapper], f"$.{origins.wrapper}"
    for name, value, done in unshown:
        wire_key = held.__struct_encode_fields__[held.__struct_fields__.index(name)]
        key = keys.get(wire_key, wire_key)
        told = _opened(own.get(key))
        # Empty where another key told: the fork of new-api that keeps the upstream's object has it in there.
        on_doubt(Doubt(f"{root}.{key}", msgspec.to_builtins(value) if _is_empty(told) else told, done))
    for key in (each for each in task.properties if each in origins.taken):
        on_doubt(Doubt(f"{root}.{keys.get('properties', 'properties')}.{key}", task.properties[key], _NO_TEXT))


def _decoded(record: Mapping[str, Any] | msgspec.Raw) -> Mapping[str, Any]:
    # What a typed parser skipped may be no UTF-8.
    return msgspec.json.decode(bytes(record).decode(errors="replace")) if isinstance(record, msgspec.Raw) else record


def _unshown(task: Task, held: msgspec.Struct, origins: Origins) -> list[tuple[str, Any, str]]:
    """Fields of the wire struct that the task does not show as they are, with their values and what was done."""
    found: list[tuple[str, Any, str]] = []
    shown = origins.shown(task)
    if shown[0] is _UNKNOWN:
        found.append(("status", task.vendor_status, _NO_STATUS))
    if shown[1] in _ENDS and (percent := getattr(held, "progress", 0)) not in _AT_THE_ENDS and _is_cut(percent):
        found.append(("progress", percent, f"out of range: read as {shown[1]}"))
    if None in shown:
        missing = [names for field, names in origins.fields.items() if getattr(task, field) is None]
        found += [(name, value, LEFT_OUT) for names in missing for name in names if (value := getattr(held, name))]
    entries: Sequence[Any] = getattr(held, "buttons", None) or ()
    if len(entries) > len(task.buttons):
        found.append(("buttons", entries, f"{len(entries) - len(task.buttons)} without a custom id: left out"))
    return found


def _is_cut(percent: object) -> bool:
    """Whether a progress is not within 0-100."""
    found = _PERCENT.match(str(percent))
    return found is not None and not 0 <= float(found[1]) <= 100  # noqa: PLR2004 percent


def of_record(
    record: Mapping[str, Any],
    wire: msgspec.Struct,
    on_doubt: OnDoubt,
    keys: Mapping[str, str] = {},
    root: str = "$",
) -> None:
    """What the record holds and the wire struct that was leniently made of it does not."""
    for name, wire_key in zip(wire.__struct_fields__, wire.__struct_encode_fields__, strict=True):
        key = keys.get(wire_key, wire_key)
        value, made = _opened(record.get(key)), getattr(wire, name)
        if made is msgspec.UNSET:
            continue  # no value, but a guard against records of another form
        if parts := list(_parts(value, made)):
            for place, entry, read in parts:
                of_record(entry, read, on_doubt, root=f"{root}.{key}{place}")
        elif _is_empty(made) and not _is_empty(value) and not _is_said_elsewhere(wire, wire_key):
            on_doubt(Doubt(f"{root}.{key}", value, LEFT_OUT))
        elif _count(made) < _count(value):
            on_doubt(Doubt(f"{root}.{key}", value, "repeated or unreadable entries: left out"))


def _parts(value: Any, made: Any) -> Iterator[tuple[str, Mapping[str, Any], msgspec.Struct]]:
    """The objects of a value beside the structs that were made of them: the one there is, or each of a list."""
    entries, structs = _entries(value), _entries(made)
    if len(entries) == len(structs):
        for place, (entry, struct) in enumerate(zip(entries, structs, strict=True)):
            if isinstance(entry, Mapping) and isinstance(struct, msgspec.Struct):
                yield f"[{place}]" if isinstance(value, list) else "", cast("Mapping[str, Any]", entry), struct


def _entries(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list) else (value,)


def _is_said_elsewhere(wire: msgspec.Struct, key: str) -> bool:
    """Whether the key is that of a second field, which has it."""
    names = zip(wire.__struct_fields__, wire.__struct_encode_fields__, strict=True)
    return any(each == key and not _is_empty(getattr(wire, name)) for name, each in names)


def _count(value: object) -> int:
    return len(cast("Sized", value)) if isinstance(value, list) else 0


def _is_empty(value: object) -> bool:
    return not value or (isinstance(value, str) and value.strip() in _SAYS_NOTHING)


def _opened(value: Any) -> Any:
    """What Extended JSON wraps: an object of one key that begins with a dollar."""
    if not isinstance(value, Mapping):
        return value
    wrapper = cast("Mapping[str, Any]", value)
    key = next(iter(wrapper), "")
    return _opened(wrapper[key]) if len(wrapper) == 1 and key.startswith("$") else wrapper
