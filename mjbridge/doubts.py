"""Doubtful values of a record: what is there, and left no trace in its task.

What a typed parser took can hold nothing worse than text that no reader makes sense of, and the task shows that. What
was read leniently is compared, value by value, with what was made of it. So no reader has to tell of its doubts.
"""

from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any, Final, cast

import msgspec

from mjbridge.task import Status, Task

LEFT_OUT: Final = "unreadable: left out"
_NO_STATUS: Final = "no known status: read as unknown"

_UNKNOWN: Final = Status.UNKNOWN
_SAYS_NOTHING: Final = frozenset({"", "0", "[]", "{}", "null"})


class Doubt(msgspec.Struct, frozen=True):
    """A value that could not be taken as it is: its path in the record, the value, and what was done with it."""

    path: str
    value: Any
    done: str


OnDoubt = Callable[[Doubt], object]


def _in_wire_form(record: Mapping[str, Any]) -> Mapping[str, str]:
    del record
    return {}


class Origins(msgspec.Struct, frozen=True):
    """Where the values of a task come from, for a provider whose records become a wire struct.

    `fields`: for a field of `Task`, the fields of the wire struct. `wrapper`: the field of the wire struct that may
    hold another, with the task in it. `stored`: for a record that is not in wire form, its keys by wire key.
    """

    fields: Mapping[str, Sequence[str]]
    wrapper: str = ""
    stored: Callable[[Mapping[str, Any]], Mapping[str, str]] = _in_wire_form


def of_task(
    task: Task, wire: msgspec.Struct, origins: Origins, on_doubt: OnDoubt, keys: Mapping[str, str] = {}
) -> None:
    """What the wire struct holds and the task does not show; `keys` are the record's own, as `stored` gives them."""
    inner = getattr(wire, origins.wrapper) if origins.wrapper else None
    held, root = (inner, f"$.{origins.wrapper}") if inner is not None else (wire, "$")
    if task.status is _UNKNOWN:
        on_doubt(Doubt(_path(held, root, "status", keys), task.vendor_status, _NO_STATUS))
    for field, names in origins.fields.items():
        shown = getattr(task, field)
        if shown is None:
            for name in names:
                if value := getattr(held, name):
                    on_doubt(Doubt(_path(held, root, name, keys), value, LEFT_OUT))
    entries: Sequence[Any] = getattr(held, "buttons", None) or ()
    if len(entries) > len(task.buttons):
        left_out = f"{len(entries) - len(task.buttons)} without a custom id: left out"
        on_doubt(Doubt(_path(held, root, "buttons", keys), msgspec.to_builtins(entries), left_out))


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
        if isinstance(made, msgspec.Struct) and isinstance(value, Mapping):
            of_record(cast("Mapping[str, Any]", value), made, on_doubt, root=f"{root}.{key}")
        elif _is_empty(made) and not _is_empty(value) and not _is_said_elsewhere(wire, wire_key):
            on_doubt(Doubt(f"{root}.{key}", value, LEFT_OUT))
        elif _count(made) < _count(value):
            on_doubt(Doubt(f"{root}.{key}", value, "repeated or unreadable entries: left out"))


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


def _path(held: msgspec.Struct, root: str, name: str, keys: Mapping[str, str]) -> str:
    key = held.__struct_encode_fields__[held.__struct_fields__.index(name)]
    return f"{root}.{keys.get(key, key)}"
