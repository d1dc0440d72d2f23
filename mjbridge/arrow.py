"""Tasks as Arrow record batches, for Polars, DuckDB, Dask, Ray, Spark and Parquet (extra `arrow`)."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

import msgspec

from mjbridge import readers, records
from mjbridge.errors import ConfigError, MalformedRecord
from mjbridge.fields import Record, plain
from mjbridge.task import NO_RAW, Attempt, Button, Task

try:
    import pyarrow as pa
    from pyarrow import compute
except ImportError:
    raise ConfigError("mjbridge.arrow needs pyarrow: install mjbridge[arrow]") from None

_Column: TypeAlias = "pa.Array[Any]"

_TEXT: Final = pa.string()
_TEXTS: Final = pa.list_(_TEXT)
_NUMBER: Final = pa.int64()
_TIME: Final = pa.timestamp("us", "UTC")
_BUTTON: Final = pa.struct(
    [("custom_id", _TEXT), ("label", _TEXT), ("emoji", _TEXT), ("type", _NUMBER), ("style", _NUMBER)]
)
_ATTEMPT: Final = pa.struct([(name, _TEXT) for name in Attempt.__struct_fields__])
_VERSION: Final = b"mjbridge.schema_version"

_TYPES: Final[Mapping[str, pa.DataType]] = dict.fromkeys(Task.__struct_fields__, _TEXT) | {
    "progress": _NUMBER,
    "image_urls": _TEXTS,
    "video_urls": _TEXTS,
    "texts": _TEXTS,
    "buttons": pa.list_(_BUTTON),
    "submitted_at": _TIME,
    "started_at": _TIME,
    "finished_at": _TIME,
    "cost_usd": pa.float64(),
    # As bytes: what is rejected may be no text at all.
    "raw": pa.binary(),
    "attempts": pa.list_(_ATTEMPT),
}

SCHEMA: Final = pa.schema(_TYPES.items(), metadata={_VERSION: str(Task.schema_version)})
"""A batch of tasks: a column for each field of `Task`, `properties` as JSON text, `raw` as bytes (null for none)."""

NORMALIZED: Final = SCHEMA.append(pa.field("reject", _TEXT))
"""What `normalize` answers: tasks, and in `reject` why a row is none."""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def normalize(
    batch: pa.RecordBatch, provider: str | None = None, *, column: str | None = None, keep_raw: bool = True
) -> pa.RecordBatch:
    """A batch of records as a batch of tasks (`NORMALIZED`), row for row. Without a `provider` each record must tell.

    The records are those in `column`, as JSON text or structs; without it, those in the only column there is, or else
    the rows themselves, as an exported SQL table has them. A row that is no task record has a null for its `id`, the
    reason in `reject`, and in `raw` the record, whatever `keep_raw` says: nothing is lost.

    Raises `PluginError` for an unknown provider, `MalformedRecord` for a column that cannot hold records.
    """
    read = records.normalizer(provider, keep_raw=keep_raw)
    given = _records(batch, column)
    outcomes = [_outcome(read, record) for record in given]
    place = itertools.count()
    # A row without a place among the tasks is a row of nulls.
    places = [next(place) if isinstance(outcome, Task) else None for outcome in outcomes]
    reasons = [None if isinstance(outcome, Task) else outcome for outcome in outcomes]
    rejected = [None if reason is None else record for reason, record in zip(reasons, given, strict=True)]
    columns = _columns([outcome for outcome in outcomes if isinstance(outcome, Task)])
    rows = [array.take(pa.array(places, _NUMBER)) for array in columns]
    raw = SCHEMA.get_field_index("raw")
    rows[raw] = compute.coalesce(rows[raw], _array(rejected, _TYPES["raw"]))
    return pa.RecordBatch.from_arrays([*rows, _array(reasons, _TEXT)], schema=NORMALIZED)


def batch(tasks: Iterable[Task]) -> pa.RecordBatch:
    """Tasks as a batch (`SCHEMA`). A whole number beyond 64 bits, which no vendor means, is null in it."""
    return pa.RecordBatch.from_arrays(_columns(list(tasks)), schema=SCHEMA)


def tasks(batch: pa.RecordBatch) -> list[Task]:
    """The tasks of a batch, `raw` too: the inverse of `batch`. Rejected rows of `normalize` are left out.

    A batch that has been elsewhere will do: missing columns are fields at their default, others are left alone, and any
    type that can be cast to the schema's is. Raises `MalformedRecord` for what does not fit.
    """
    version = (batch.schema.metadata or {}).get(_VERSION, b"")
    if version not in {b"", str(Task.schema_version).encode()}:
        theirs = version.decode(errors="replace")
        raise MalformedRecord(
            f"these tasks have schema version {theirs}, and this mjbridge reads {Task.schema_version}: upgrade it, or "
            "normalize their raw again"
        )
    names = [name for name in SCHEMA.names if name in batch.schema.names]
    columns = [_plain(_fitted(batch, name)) for name in names]
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return [_task(row) for row in rows if row.get("id") is not None]


def _outcome(read: Callable[[Record], Task], record: bytes | None) -> Task | str:
    """A task, or why there is none."""
    try:
        return read(b"null" if record is None else record)
    except MalformedRecord as error:
        return str(error)


def _task(row: dict[str, Any]) -> Task:
    told = {name: value for name, value in row.items() if value is not None}
    try:
        read = {name: parse(told[name]) for name, parse in _PARSERS.items() if name in told}
        task = msgspec.convert(told | read, type=Task)
    except msgspec.MsgspecError as error:
        raise MalformedRecord(f"not a canonical task: {error}") from None
    readers.check_progress(task)
    return task


def _fitted(batch: pa.RecordBatch, name: str) -> _Column:
    try:
        return _column(batch, name).cast(_TYPES[name])
    except pa.ArrowException as error:
        raise MalformedRecord(f"the column {name} does not hold what a task does: {error}") from None


def _columns(tasks: list[Task]) -> list[_Column]:
    return [_array(_values(tasks, name), _TYPES[name]) for name in SCHEMA.names]


def _values(tasks: list[Task], name: str) -> list[Any]:
    values = [getattr(task, name) for task in tasks]
    write = _WRITERS.get(name)
    return [write(value) for value in values] if write else values


def _whole(value: int | None) -> int | None:
    return value if value is not None and -(2**63) <= value < 2**63 else None


def _button(button: Button) -> tuple[Any, ...]:
    return button.custom_id, button.label, button.emoji, _whole(button.type), _whole(button.style)


_WRITERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "progress": _whole,
    "buttons": lambda buttons: [_button(button) for button in buttons],
    "properties": lambda properties: _encode(properties) if properties else b"{}",
    "raw": lambda raw: None if raw is NO_RAW else bytes(raw) or None,
    "attempts": lambda attempts: [msgspec.structs.astuple(attempt) for attempt in attempts],
}
_PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = {"properties": msgspec.json.decode, "raw": msgspec.Raw}


def _array(values: list[Any], kind: pa.DataType) -> _Column:
    array = pa.array(values, kind)
    if not isinstance(array, pa.ChunkedArray):
        return array
    raise MalformedRecord("a column of a batch holds at most 2 GiB of text: use smaller batches")


def _records(batch: pa.RecordBatch, column: str | None) -> list[bytes | None]:
    """Each record as JSON, None where there is a null."""
    if column is None and batch.num_columns != 1:
        return _rows(batch)
    name = batch.schema.names[0] if column is None else column
    array = _column(batch, name)
    stored: _Column = array.storage if isinstance(array, pa.ExtensionArray) else array
    if isinstance(stored, pa.StructArray):
        rows = _rows(pa.RecordBatch.from_struct_array(stored))
        return [row if there else None for row, there in zip(rows, stored.is_valid().to_pylist(), strict=True)]
    # Arrow has seven types of text and bytes, and more to come: it knows itself what can be cast to bytes.
    try:
        records = stored.cast(pa.large_binary())
    except pa.ArrowNotImplementedError:
        raise MalformedRecord(
            f"the column {name} holds {array.type}: a record is JSON text, bytes or a struct"
        ) from None
    return records.to_pylist()


def _rows(batch: pa.RecordBatch) -> list[bytes | None]:
    columns = [_plain(_column(batch, name)) for name in batch.schema.names]
    rows = zip(*columns, strict=True) if columns else [()] * batch.num_rows
    return [_encode({name: plain(value) for name, value in zip(batch.schema.names, row, strict=True)}) for row in rows]


def _column(batch: pa.RecordBatch, name: str) -> _Column:
    try:
        # Whose types leave it open what a column holds.
        column: _Column = cast("Any", batch).column(name)
    except KeyError as error:
        raise MalformedRecord(f"{error.args[0]}: the batch has {', '.join(batch.schema.names)}") from None
    return column


def _plain(array: _Column) -> list[Any]:
    """A column's values as Python has them, times as ISO text: Arrow's reach further than Python's."""
    if pa.types.is_timestamp(array.type) and array.type.tz:
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        array = array.cast(_TEXT)
    return array.to_pylist()
