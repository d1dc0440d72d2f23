"""How the records of a dialect become tasks: at sight where they are as they should be, else value by value."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeVar, cast

import msgspec

from mjbridge import doubts, fields
from mjbridge.doubts import OnDoubt, Origins
from mjbridge.errors import MalformedRecord
from mjbridge.fields import Record, Times
from mjbridge.task import NO_RAW, Task

Wire = TypeVar("Wire", bound=msgspec.Struct)
Built = TypeVar("Built")

CANONICAL: Final = "schema_version"
"""The key that only a task of our own has."""


def reader(
    provider: str,
    parse: Callable[[bytes], Wire],
    read: Callable[[str, Mapping[str, Any]], Wire],
    build: Callable[[str, Wire, msgspec.Raw], Task],
    *,
    keep_raw: bool,
    origins: Origins,
    on_doubt: OnDoubt | None,
    parse_known: Callable[[bytes], Wire] | None = None,
    parse_stored: Callable[[bytes], Wire] | None = None,
) -> Callable[[Record], Task]:
    """A provider's `normalizer`: a record becomes a wire struct, and that a task.

    `parse` takes bytes that are as they should be in one step, as do `parse_known` where they hold nothing to skip and
    `parse_stored` where they are a stored form; all else is read leniently through a mapping.
    """

    def lenient(record: Record) -> Task:
        # Also where nobody keeps it: what cannot be written as JSON would be no canonical task either.
        kept, decoded = fields.raw(record), fields.decode(record)
        if is_canonical(decoded):
            return canonical(record, keep_raw=keep_raw)
        wire = read(provider, decoded)
        if on_doubt:
            # First: what is built takes from the wire struct what it has another place for.
            doubts.of_record(decoded, wire, on_doubt, origins.stored(decoded))
        task = build(provider, wire, kept if keep_raw else NO_RAW)
        if on_doubt:
            doubts.of_task(task, wire, origins, on_doubt, decoded)
        return task

    read_at_sight = partial(at_sight, provider, keep_raw=keep_raw, origins=origins, on_doubt=on_doubt)
    otherwise = read_at_sight(parse_stored, build, lenient) if parse_stored else lenient
    return read_at_sight(parse, build, otherwise, parse_known=parse_known)


def at_sight(
    provider: str,
    parse: Callable[[bytes], Wire],
    build: Callable[[str, Wire, msgspec.Raw], Built],
    otherwise: Callable[[Record], Built],
    *,
    keep_raw: bool,
    origins: Origins,
    on_doubt: OnDoubt | None,
    parse_known: Callable[[bytes], Wire] | None = None,
) -> Callable[[Record], Built]:
    """Builds from bytes that `parse` takes; any other record goes to `otherwise`.

    `parse_known` takes less: only records of which it skips nothing, at any depth.
    """

    def read(record: Record) -> Built:
        if type(record) is not bytes:
            return otherwise(record)
        try:
            return build(provider, parse(record), NO_RAW)
        except fields.NOT_AS_EXPECTED:
            return otherwise(record)

    def read_with_raw(record: Record) -> Built:
        if type(record) is not bytes:
            return otherwise(record)
        try:
            return build(provider, parse_text(record), msgspec.Raw(record))
        except fields.NOT_AS_EXPECTED:
            return otherwise(record)

    decoding = _skipping_nothing(parse, parse_known) if parse_known else _decoding(parse)
    parse_text = decoding if keep_raw else parse
    if on_doubt:
        build = _telling(build, origins, on_doubt, keep_raw)
    return read_with_raw if keep_raw or on_doubt else read


def _telling(
    build: Callable[[str, Wire, msgspec.Raw], Built], origins: Origins, on_doubt: OnDoubt, keep_raw: bool
) -> Callable[[str, Wire, msgspec.Raw], Built]:
    """`build`, which tells what is in a wire struct and not in the task."""

    def told(provider: str, wire: Wire, raw: msgspec.Raw) -> Built:
        task = build(provider, wire, raw if keep_raw else NO_RAW)
        if isinstance(task, Task):
            doubts.of_task(task, wire, origins, on_doubt, raw)
        return task

    return told


def _decoding(parse: Callable[[bytes], Wire]) -> Callable[[bytes], Wire]:
    """`parse` for records that are kept: it does not look into what it skips, and `raw` has that too."""

    def parse_text(record: bytes) -> Wire:
        if not record.isascii():
            record.decode()
        return parse(record)

    return parse_text


def _skipping_nothing(parse: Callable[[bytes], Wire], parse_known: Callable[[bytes], Wire]) -> Callable[[bytes], Wire]:
    """The same for less, where most records hold nothing to skip."""

    def parse_text(record: bytes) -> Wire:
        if record.isascii():
            return parse(record)
        try:
            return parse_known(record)
        except fields.NOT_AS_EXPECTED:
            return otherwise(record)

    otherwise = _decoding(parse)
    return parse_text


def refusing(kind: type[Wire], keys: Iterable[str]) -> Callable[[bytes], Wire]:
    """A parser of a wire struct that refuses records in which one of these keys stands."""
    # Two plugins may state the same sign, or one what the struct reads: a stranger's table must not end all detection.
    read = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
    refused = {read.get(key, f"refused_{place}"): key for place, key in enumerate(dict.fromkeys(keys))}
    unset = [(name, msgspec.UnsetType, msgspec.field(default=msgspec.UNSET, name=key)) for name, key in refused.items()]
    refusing_kind = cast("type[Wire]", msgspec.defstruct(kind.__name__, unset, bases=(kind,), gc=False))
    return msgspec.json.Decoder(refusing_kind).decode


def is_canonical(decoded: Mapping[str, Any]) -> bool:
    """Whether a decoded record is a task of our own."""
    return decoded.get(CANONICAL) == Task.schema_version and "provider" in decoded


def canonical(record: Record, *, keep_raw: bool) -> Task:
    """A task of our own as it is, whatever its provider; `MalformedRecord` if it is none."""
    try:
        task = msgspec.json.decode(bytes(fields.raw(record)), type=Task)
        times = {name: fields.aware(time) for name in Times.__struct_fields__ if (time := getattr(task, name))}
    except (msgspec.ValidationError, OverflowError) as error:
        raise MalformedRecord(f"not a canonical task: {error}") from None
    check_progress(task)
    return msgspec.structs.replace(task, **times, raw=task.raw if keep_raw else NO_RAW)


def check_progress(task: Task) -> None:
    """`MalformedRecord` for a task from elsewhere whose progress is no percent: its type says no more than a number."""
    if task.progress is not None and task.progress not in range(101):
        raise MalformedRecord("not a canonical task: a number from 0 to 100 is expected", path="$.progress")


def fill(kind: type[Wire], record: Mapping[str, Any], readers: Mapping[str, Callable[[object], Any]]) -> Wire:
    """A wire struct from a wild mapping: each field by its reader, or else as text."""
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return kind(**{name: readers.get(name, fields.text)(record[key]) for name, key in names if key in record})
