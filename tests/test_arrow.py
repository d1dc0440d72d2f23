"""Tasks as Arrow batches: both ways without loss, and records of any column or table under the engines people use."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import dataset, parquet

import mjbridge
from mjbridge import Attempt, Button, MalformedRecord, PluginError, Status, Task, arrow
from mjbridge.testing import mutated, record_cases
from tests.processes import run

FIXTURES = Path(__file__).parent.parent / "fixtures"
RECORDS: list[dict[str, Any]] = [
    json.loads(record)
    for folder in sorted(FIXTURES.iterdir())
    for case in record_cases(folder)
    for record in case.records
]
LINES = [json.dumps(record, ensure_ascii=False).encode() for record in RECORDS]
TEXT_TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()]

FULL = Task(
    id="0019007199254740993",
    provider="mjproxy",
    status=Status.COMPLETED,
    vendor_status="SUCCESS",
    account="main",
    action="imagine",
    progress=100,
    prompt="灯塔 🌅 \x00",
    prompt_en="a lighthouse",
    final_prompt="a lighthouse --v 7",
    description="d",
    fail_reason="f",
    state="s",
    image_url="https://cdn.example.com/a.png",
    image_urls=("https://cdn.example.com/1.png", "https://cdn.example.com/2.png"),
    preview_url="https://cdn.example.com/p.png",
    video_urls=("https://cdn.example.com/v.mp4",),
    texts=("one", "two"),
    buttons=(Button("MJ::JOB::upsample::1::h", "U1", "", 2, 1), Button("MJ::JOB::reroll::0::h::SOLO", emoji="🔄")),
    submitted_at=datetime(2026, 11, 22, 10, 0, 0, 123456, UTC),
    started_at=datetime(1, 1, 1, tzinfo=UTC),
    finished_at=datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    parent_id="1",
    custom_id="c",
    bot="niji",
    speed="fast",
    seed="18446744073709551616",
    cost_usd=0.1,
    properties={"a": [1, {"b": None}], "long": 2**64},
    raw=mjbridge.normalize(LINES[0]).raw,
    attempts=(Attempt(account="spare", provider="apimart", category="RateLimited", message="slow down"),),
)
EMPTY = Task(id="")


def _raws(tasks: Iterable[Task]) -> list[bytes]:
    return [bytes(task.raw) for task in tasks]


def _one_by_one(lines: Iterable[bytes]) -> list[Task]:
    found: list[Task] = []
    for line in lines:
        try:
            found.append(mjbridge.normalize(line))
        except MalformedRecord:
            continue
    return found


def _values(batch: pa.RecordBatch, name: str) -> list[Any]:
    column: pa.Array[Any] = cast("Any", batch).column(name)
    return column.to_pylist()


def _column(lines: list[bytes | None], kind: pa.DataType | None = None) -> pa.RecordBatch:
    return pa.record_batch({"record": pa.array(lines, pa.binary()).cast(kind or pa.string())})


def test_tasks_come_back_as_they_were() -> None:
    """Every field is filled, so none can be forgotten, and every field is at its default."""
    assert all(getattr(FULL, name) != getattr(EMPTY, name) for name in Task.__struct_fields__)
    back = arrow.tasks(arrow.batch([FULL, EMPTY]))
    assert back == [FULL, EMPTY]
    assert _raws(back) == _raws([FULL, EMPTY])
    assert [each.to_json() for each in back] == [FULL.to_json(), EMPTY.to_json()]


def test_no_tasks_are_a_batch_of_no_rows() -> None:
    assert arrow.batch([]).schema == arrow.SCHEMA
    assert arrow.tasks(arrow.batch(iter(()))) == []
    nothing = arrow.normalize(_column([]))
    assert (nothing.num_rows, nothing.schema) == (0, arrow.NORMALIZED)


def test_the_schema_names_every_field_and_its_version() -> None:
    assert tuple(arrow.SCHEMA.names) == Task.__struct_fields__
    assert (arrow.SCHEMA.metadata or {})[b"mjbridge.schema_version"] == b"1"


def test_a_number_beyond_64_bits_is_null() -> None:
    """Our JSON reader takes them; a column of Arrow does not."""
    record = (
        b'{"id":"1","imageUrl":"","buttons":[{"customId":"c","type":9223372036854775808,"style":-9223372036854775808}]}'
    )
    (task,) = arrow.tasks(arrow.normalize(_column([record])))
    assert task.buttons == (Button("c", style=-(2**63)),)


@pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
def test_a_column_of_json_becomes_tasks_row_for_row(kind: pa.DataType) -> None:
    found = arrow.normalize(_column([*LINES], kind))
    assert found.schema == arrow.NORMALIZED
    assert arrow.tasks(found) == _one_by_one(LINES)
    rows = zip(_values(found, "id"), _values(found, "reject"), strict=True)
    assert all((task_id is None) is (reason is not None) for task_id, reason in rows)


def test_what_is_no_record_is_a_row_that_holds_it_and_the_reason() -> None:
    lines = [b"{", LINES[0], None, b"[]", b'{"imageUrl": "\xff"}']
    found = arrow.normalize(_column(lines, pa.binary()), keep_raw=False)
    ids = [mjbridge.normalize(LINES[0]).id if line is LINES[0] else None for line in lines]
    assert _values(found, "id") == ids
    assert _values(found, "raw") == [None if line is LINES[0] else line for line in lines]
    reasons = _values(found, "reject")
    assert [bool(reason) for reason in reasons] == [True, False, True, True, True]
    assert "null" in str(reasons[2])


def test_a_record_that_is_no_text_is_rejected_byte_for_byte() -> None:
    line = b'{ "id":"1", "imageUrl":"", "elsewhere":"\xff" }'
    found = arrow.normalize(_column([line], pa.binary()), "mjproxy")
    assert (_values(found, "id"), _values(found, "raw")) == ([None], [line])
    assert "utf-8" in str(_values(found, "reject")[0])


def test_a_table_of_rows_is_read_by_its_columns() -> None:
    """As a driver exports new-api's table: JSON in text and bytes, decimals, times of any unit and zone, nulls."""
    moment = datetime(2025, 2, 19, 21, 20, 0, 123000, UTC)
    buttons = [{"customId": "MJ::JOB::reroll::0::h::SOLO", "label": "", "emoji": "🔄", "type": 2, "style": 2}]
    rows = pa.record_batch(
        {
            "id": [1, 2, 3],
            "mj_id": pa.array(["1740000000123001", "1740000000123002", None]).dictionary_encode(),
            "status": ["SUCCESS", None, "FAILURE"],
            "submit_time": pa.array([Decimal(1740000000123), None, Decimal(0)], pa.decimal128(20)),
            "start_time": pa.array([moment, None, None], pa.timestamp("ns", "Asia/Shanghai")),
            "finish_time": pa.array([2**62, None, None], pa.timestamp("s")),
            "buttons": pa.array([json.dumps(buttons).encode(), b"\xff", None]),
            "image_url": pa.array([b"https://cdn.example.com/1.png", b"\xff", None]),
        }
    )
    found = arrow.normalize(rows)
    done, pending = arrow.tasks(found)
    assert (done.id, done.submitted_at, done.started_at, done.finished_at) == ("1740000000123001", moment, moment, None)
    assert [button.emoji for button in done.buttons] == ["🔄"]
    assert (pending.id, pending.status, pending.buttons) == ("1740000000123002", Status.PENDING, ())
    assert (done.image_url, pending.preview_url) == ("https://cdn.example.com/1.png", None)
    assert json.loads(bytes(done.raw))["id"] == 1
    assert _values(found, "id")[2] is None
    assert "names its id" in str(_values(found, "reject")[2])


def test_a_column_of_structs_is_read_like_a_table() -> None:
    structs = pa.array(
        [{"id": "1", "imageUrl": "u", "status": "SUCCESS"}, None],
        pa.struct([(name, pa.string()) for name in ("id", "imageUrl", "status")]),
    )
    found = arrow.normalize(pa.record_batch({"other": [1, 2], "task": structs}), column="task")
    assert _values(found, "image_url") == ["u", None]
    assert _values(found, "id") == ["1", None]
    assert _values(found, "raw")[1] is None


@pytest.mark.parametrize("column", [None, "task"])
def test_rows_that_hold_nothing_are_rejected_row_for_row(column: str | None) -> None:
    table = pa.record_batch({"task": pa.array([{}, {}, {}], pa.struct([]))})
    batch = table if column else table.select([])
    assert _values(arrow.normalize(batch, "mjproxy", column=column), "raw") == [b"{}"] * 3


def test_slices_are_read_where_they_are() -> None:
    whole = _column([*LINES])
    assert _values(arrow.normalize(whole.slice(3, 4)), "raw") == LINES[3:7]
    tasks = _one_by_one(LINES)
    assert arrow.tasks(arrow.batch(tasks).slice(3, 4)) == tasks[3:7]


@pytest.mark.parametrize(
    ("batch", "column", "said"),
    [
        (pa.record_batch({"a": ["{}"], "b": ["{}"]}), "c", "a, b"),
        (pa.record_batch({"a": [1]}), None, "int64"),
        (pa.record_batch([pa.array(["1"]), pa.array(["2"])], names=["id", "id"]), None, "id"),
    ],
)
def test_a_batch_that_cannot_hold_records_is_refused(batch: pa.RecordBatch, column: str | None, said: str) -> None:
    with pytest.raises(MalformedRecord, match=said):
        arrow.normalize(batch, column=column)


def test_an_unknown_provider_is_refused_at_once() -> None:
    with pytest.raises(PluginError):
        arrow.normalize(_column([]), "midjourny")


@pytest.mark.parametrize(
    "batch",
    [
        pa.record_batch({"id": ["1"], "status": ["done"]}),
        pa.record_batch({"id": ["1"], "progress": ["much"]}),
        pa.record_batch({"id": ["1"], "properties": ["[]"]}),
        pa.record_batch({"id": ["1"], "progress": [250]}),
        arrow.batch([EMPTY]).replace_schema_metadata({b"mjbridge.schema_version": b"2"}),
    ],
)
def test_a_batch_that_is_not_of_tasks_is_refused(batch: pa.RecordBatch) -> None:
    with pytest.raises(MalformedRecord):
        arrow.tasks(batch)


def test_columns_that_are_missing_or_unknown_do_no_harm() -> None:
    assert arrow.tasks(pa.record_batch({"id": ["1"], "mine": [2], "texts": pa.nulls(1)})) == [Task(id="1")]


@given(records=st.lists(mutated(RECORDS), max_size=5))
def test_wild_records_are_tasks_or_rejects_and_the_same_as_one_by_one(records: list[dict[str, Any]]) -> None:
    lines = [json.dumps(record).encode() for record in records]
    found = arrow.normalize(_column([*lines]))
    assert found.num_rows == len(lines)
    tasks = arrow.tasks(found)
    assert tasks == _one_by_one(lines)
    assert arrow.tasks(arrow.batch(tasks)) == tasks
    assert _values(found, "raw") == lines


def test_parquet_holds_tasks_whole(tmp_path: Path) -> None:
    tasks = [FULL, EMPTY, *_one_by_one(LINES)]
    with parquet.ParquetWriter(tmp_path / "tasks.parquet", arrow.SCHEMA) as file:
        file.write_batch(arrow.batch(tasks[:2]))
        file.write_batch(arrow.batch(tasks[2:]))
    stored = dataset.dataset(tmp_path / "tasks.parquet")
    assert stored.schema.metadata == arrow.SCHEMA.metadata
    back = [task for batch in stored.to_batches(batch_size=3) for task in arrow.tasks(batch)]
    assert back == tasks
    assert _raws(back) == _raws(tasks)


def test_polars_hands_over_records_and_takes_tasks() -> None:
    """Chunked, and of the types that Polars exports: large strings, or string views."""
    frame = pl.concat([pl.DataFrame({"record": [line.decode()]}) for line in LINES], rechunk=False)
    for level in (pl.CompatLevel.oldest(), pl.CompatLevel.newest()):
        batches = frame.to_arrow(compat_level=level).to_batches()
        assert len(batches) == len(LINES)
        tasks = pl.concat([pl.DataFrame(arrow.normalize(batch)) for batch in batches])
        done = tasks.filter(pl.col("status") == "completed", pl.col("submitted_at") > datetime(2001, 1, 1, tzinfo=UTC))
        assert done.height == sum(
            task.status is Status.COMPLETED and task.submitted_at is not None for task in _one_by_one(LINES)
        )
        back = [task for batch in tasks.to_arrow(compat_level=level).to_batches() for task in arrow.tasks(batch)]
        assert back == _one_by_one(LINES)
        assert _raws(back) == _raws(_one_by_one(LINES))


def test_duckdb_hands_over_records_and_takes_tasks(tmp_path: Path) -> None:
    """In a stream: the records are read as DuckDB asks for them."""
    (tmp_path / "records.jsonl").write_bytes(b"".join(line.replace(b"\n", b" ") + b"\n" for line in LINES))
    with duckdb.connect() as database:
        records = database.read_json(str(tmp_path / "records.jsonl"), records="false", columns={"json": "JSON"})
        reader = records.to_arrow_reader()
        tasks = pa.RecordBatchReader.from_batches(arrow.NORMALIZED, map(arrow.normalize, reader))
        database.cursor().from_arrow(tasks).create("tasks")
        told = database.sql(
            "SELECT id, buttons[1].label, epoch_ms(finished_at), json_type(decode(raw)) FROM tasks ORDER BY rowid"
        )
        assert [row[0] for row in told.fetchall() if row[0] is not None] == [task.id for task in _one_by_one(LINES)]
        back = arrow.tasks(
            database.sql("SELECT * FROM tasks ORDER BY rowid").to_arrow_table().combine_chunks().to_batches()[0]
        )
        assert back == _one_by_one(LINES)


def test_without_pyarrow_the_module_says_what_to_install() -> None:
    program = "import sys; sys.modules['pyarrow'] = None; import mjbridge.arrow"
    done = run(sys.executable, "-c", program)
    assert "ConfigError: mjbridge.arrow needs pyarrow: install mjbridge[arrow]" in done.stderr


def test_nobody_imports_it_unasked() -> None:
    program = (
        'import mjbridge, mjbridge.cli, sys; mjbridge.normalize(b\'{"id": "1", "imageUrl": ""}\'); print(*sys.modules)'
    )
    done = run(sys.executable, "-c", program, check=True)
    assert "pyarrow" not in done.stdout.split()
