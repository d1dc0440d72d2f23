"""Rows that are read in one step become the tasks, and tell the issues, that come of reading them column by column."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjbridge import MalformedRecord, Task
from mjbridge.doubts import Doubt
from mjbridge.testing import record_cases
from mjbridge.testing.wild import JSON_VALUES
from mjbridge_mjproxy import records, rows, typed_rows

CASES = {case.name: case for case in record_cases(Path(__file__).parent.parent / "fixtures" / "mjproxy")}
TYPED = [
    *("stored-new-api-rows", "stored-one-hub-rows", "stored-one-api-mj-row", "stored-chat-api-row"),
    *("stored-trueai-sqlite-rows", "stored-trueai-mysql-row"),
]
NEW_API: dict[str, Any] = {
    "id": 412,
    "mj_id": "1740000000123001",
    "action": "IMAGINE",
    "prompt": "a pig",
    "submit_time": 1740000000123,
    "image_url": "https://cdn.example.com/1.png",
    "status": "SUCCESS",
    "progress": "100%",
    "buttons": '[{"customId": "MJ::1", "emoji": "", "label": "U1", "style": 2, "type": 2}]',
    "properties": '{"finalPrompt": "a pig --v 7", "finalZhPrompt": ""}',
}
TRUEAI: dict[str, Any] = {
    "Id": "1740000000456001",
    "BotType": 0,
    "Action": 0,
    "Status": 5,
    "SubmitTime": 1740000000456,
    "ImageUrl": "https://cdn.example.com/1.png",
    "ImageUrls": '[{"Url": "https://cdn.example.com/2.png", "Thumbnail": null}]',
    "Progress": "100%",
    "Buttons": '[{"CustomId": "MJ::1", "Emoji": "", "Label": "U1", "Style": 2, "Type": 2}]',
    "Properties": '{"finalPrompt": "a pig --v 7", "flags": 0}',
}
NEW_API_FORM, _, TRUEAI_FORM, _ = rows.FORMS
NESTED: list[Any] = [
    [{"customId": "a", "label": "U1"}, {"label": "U2"}],
    [{"CustomId": "a", "Label": "U1"}, {"Label": "U2"}],
    [[{"customId": "a", "label": "U1"}], {"CustomId": "b"}],
    [{"url": "https://cdn.example.com/1.mp4"}, {"url": ""}],
    [{"Url": "https://cdn.example.com/1.mp4", "Thumbnail": "x"}],
    ["https://cdn.example.com/1.mp4", "https://cdn.example.com/1.mp4"],
    ["https://cdn.example.com/1.mp4", "null", ""],
    {"finalPrompt": 5, "botType": "NIJI_JOURNEY", "custom_id": "c"},
    {"finalPrompt": "a", "flags": {"$numberLong": "5"}},
    {"$binary": {"base64": "", "subType": "00"}},
    {"$numberLong": "1740000000456"},
]
PLAIN: list[Any] = [
    *("MODAL", "DESCRIBE", "VIDEO", "relaxed", "SUCCESS", "success", "null", "NaN", "", " ", "[", "250%", "0.65", "x"),
    *("0", "5", "5\n", "1740000000456", "1740000000456.5", "2026-11-22T10:00:00Z", "https://cdn.example.com/1.webm"),
    *(None, True, 0, 5, 20, 99, -1, 0.65, 1e300, 1740000000456, [], {}),
]
WILD: list[Any] = [*PLAIN, *NESTED, *map(json.dumps, NESTED), "[]", "{}"]


def _read(record: dict[str, Any] | bytes) -> tuple[Task | None, list[Doubt]]:
    found: list[Doubt] = []
    try:
        return records.normalizer("mjproxy", on_doubt=found.append)(record), found
    except MalformedRecord:
        return None, found


def _columns(form: rows.StoredForm) -> list[str]:
    return [*form.columns, "payload", "id", "_id"]


def _differs(record: dict[str, Any]) -> bool:
    return _read(json.dumps(record).encode()) != _read(json.loads(json.dumps(record)))


@pytest.mark.parametrize(("row", "form"), [(NEW_API, NEW_API_FORM), (TRUEAI, TRUEAI_FORM)])
def test_a_row_is_read_alike_in_one_step_and_column_by_column(row: dict[str, Any], form: rows.StoredForm) -> None:
    assert [(column, cell) for column in _columns(form) for cell in WILD if _differs(row | {column: cell})] == []


@pytest.mark.parametrize("row", [{"Id": "1", "Name": "a customer"}, {"Id": "1", "Status": None}, {"mj_id": "1"}])
def test_so_is_one_that_says_nothing_of_a_task(row: dict[str, Any]) -> None:
    """Any table may have an Id: a customer is no task."""
    assert not _differs(row)
    assert (_read(row)[0] is None) == ("Name" in row)


@given(data=st.data())
@pytest.mark.parametrize(("row", "form"), [(NEW_API, NEW_API_FORM), (TRUEAI, TRUEAI_FORM)])
def test_so_is_one_with_several_wild_values(row: dict[str, Any], form: rows.StoredForm, data: st.DataObject) -> None:
    cells = st.sampled_from(WILD) | JSON_VALUES | JSON_VALUES.map(json.dumps)
    assert not _differs(row | data.draw(st.dictionaries(st.sampled_from(_columns(form)), cells, max_size=4)))


@pytest.mark.parametrize("name", TYPED)
def test_what_the_databases_write_is_read_in_one_step(name: str) -> None:
    parse = typed_rows.parser(())
    for record, task in zip(CASES[name].records, CASES[name].tasks, strict=True):
        wire = parse(record)
        assert (wire.id, wire.status or "") == (task.id, task.vendor_status)


def test_what_csv_makes_of_a_row_is_read_in_one_step() -> None:
    """Numbers are texts there, and lists are lists."""
    cells = {key: str(cell) for key, cell in NEW_API.items()} | {"buttons": json.loads(NEW_API["buttons"])}
    parse = typed_rows.parser(())
    assert parse(json.dumps(cells).encode()) == parse(json.dumps(NEW_API).encode())
