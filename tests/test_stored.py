"""Stored records of the MJ-proxy family: told apart by their keys, and put into the wire form."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mjbridge import Certainty, MalformedRecord, Task, fields, normalize
from mjbridge.provider import NO_MATCH
from mjbridge.testing import RecordCase, mutated, record_cases
from mjbridge_mjproxy import records, rows

FIXTURES = Path(__file__).parent.parent / "fixtures" / "mjproxy"
CASES = record_cases(FIXTURES)
STORED = [case for case in CASES if case.name.startswith("stored-")]
RECORDS: list[dict[str, Any]] = [json.loads(record) for case in CASES for record in case.records]

ROW: dict[str, Any] = {"id": 412, "mj_id": "1740000000123001", "submit_time": 1740000000123, "status": "SUCCESS"}
TRUEAI: dict[str, Any] = {"Id": "1740000000456001", "BotType": 0, "Status": 5, "SubmitTime": 1740000000456}
DOCUMENT: dict[str, Any] = {"_id": "1740000000456011", "BotType": "MID_JOURNEY", "Status": "SUCCESS"}
CALLBACK: dict[str, Any] = {"id": "1740000000456014", "status": 3, "action": 0, "submitTime": 1740000000456}
WIRE: dict[str, Any] = {"id": "1740000000789001", "status": "SUBMITTED", "submitTime": 1740000000789, "properties": {}}

LONG_ID = 9007199254740993
"""The first integer that a float cannot hold."""


def _read(record: dict[str, Any]) -> Task:
    return records.normalizer("mjproxy")(rows.wire(record))


def _nested(levels: int) -> Any:
    value: Any = {"$numberInt": "1"}
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("case", STORED, ids=[case.name for case in STORED])
def test_a_stored_record_becomes_its_task(case: RecordCase) -> None:
    decoded = [json.loads(record) for record in case.records]
    assert [_read(record) for record in decoded] == case.tasks


@pytest.mark.parametrize(
    ("record", "id_path", "certainty"),
    [
        (ROW, "$.mj_id", Certainty.FAMILY),
        ({"mj_id": "1", "prompt_en": ""}, "$.mj_id", Certainty.FAMILY),
        ({"id": 412, "submit_time": 0}, "$.mj_id", Certainty.NONE),
        ({"mj_id": "1"}, "$.mj_id", Certainty.NONE),
        (TRUEAI, "$.Id", Certainty.CERTAIN),
        ({"Id": "1", "Status": 5}, "$.Id", Certainty.NONE),
        ({"Status": 5, "BotType": 0}, "$.Id", Certainty.NONE),
        (DOCUMENT, "$._id", Certainty.CERTAIN),
        (CALLBACK, "$.id", Certainty.NONE),
        (WIRE, "$.id", Certainty.NONE),
        (WIRE | {"mj_id": "1"}, "$.id", Certainty.NONE),
        (WIRE | {"Status": 5, "_id": "1"}, "$.id", Certainty.NONE),
        ({}, "$.id", Certainty.NONE),
    ],
)
def test_the_keys_tell_the_form(record: dict[str, Any], id_path: str, certainty: Certainty) -> None:
    """A stored form is claimed only with a key beside the id that nobody else has; near-wire forms have the wire's."""
    assert rows.id_path(record) == id_path
    assert rows.matches(record).certainty is certainty


def test_a_match_says_why() -> None:
    assert rows.matches(ROW).reason == "mj_id and submit_time: a row of the new-api family"
    assert rows.matches(WIRE) == NO_MATCH


@pytest.mark.parametrize("extra", [{}, {"mj_id": "1"}, {"displays": {"status": 5}}, {"properties": {"botType": 0}}])
def test_a_wire_record_is_returned_as_it_is(extra: dict[str, Any]) -> None:
    record = WIRE | extra
    assert rows.wire(record) is record


@pytest.mark.parametrize("mj_id", ["", None])
def test_a_rejected_submit_has_no_task_id(mj_id: str | None) -> None:
    """The row's own number never stands for the task."""
    record = ROW | {"mj_id": mj_id, "code": 24, "fail_reason": "banned"}
    assert "id" not in rows.wire(record)
    with pytest.raises(MalformedRecord):
        _read(record)


@pytest.mark.parametrize("written", ["", "null", "[]", "{}", "[{", "http://x", "\ud800", "[" * 5000, None, 0, False])
def test_json_columns_that_say_nothing_are_none(written: object) -> None:
    columns = ("buttons", "properties", "video_urls")
    trueai = ("Buttons", "Properties", "VideoUrls", "ImageUrls")
    for record in (ROW | dict.fromkeys(columns, written), TRUEAI | dict.fromkeys(trueai, written)):
        task = _read(record)
        assert (task.buttons, task.properties, task.video_urls, task.image_urls) == ((), {}, (), ())


@pytest.mark.parametrize("written", ["", "null", "[]", "{}", '""', "[{", '["http://x', None])
def test_json_that_says_nothing_is_no_address_in_a_wire_record_either(written: object) -> None:
    task = _read(WIRE | {"status": "SUCCESS"} | dict.fromkeys(("imageUrls", "videoUrls"), written))
    assert (task.image_url, task.image_urls, task.video_urls) == (None, (), ())


@pytest.mark.parametrize("empty", [0, "0", ""])
def test_columns_win_over_the_payload_where_they_say_something(empty: object) -> None:
    payload = {"id": "other", "status": "IN_PROGRESS", "startTime": 2, "seed": "7", "properties": {"a": 1, "b": 2}}
    record = ROW | {
        "payload": json.dumps(payload),
        "start_time": empty,
        "properties": '{"a": 3, "b": ""}',
        "progress": "",
    }
    assert rows.wire(record) == {
        "id": ROW["mj_id"],
        "status": "SUCCESS",
        "submitTime": ROW["submit_time"],
        "startTime": 2,
        "seed": "7",
        "properties": {"a": 3, "b": 2},
    }


@pytest.mark.parametrize("payload", ["", "null", "[1]", "{", None, 5, []])
def test_a_payload_that_is_no_object_says_nothing(payload: object) -> None:
    assert rows.wire(ROW | {"payload": payload}) == rows.wire(ROW)


@pytest.mark.parametrize(
    ("column", "value", "key", "word"),
    [
        ("Status", 0, "status", "NOT_START"),
        ("Status", "7", "status", "CANCEL"),
        ("Status", 2, "status", 2),
        ("Status", "MODAL", "status", "MODAL"),
        ("Status", True, "status", True),
        ("Action", 0, "action", "IMAGINE"),
        ("Action", 12, "action", "SHORTEN"),
        ("Action", 20, "action", "UPSCALE_HD"),
        ("Action", 21, "action", 21),
        ("Action", -1, "action", -1),
        ("BotType", 2, "botType", "INSIGHT_FACE"),
        ("Mode", {"$numberInt": "2"}, "mode", "TURBO"),
        ("Mode", "FAST", "mode", "FAST"),
        ("Mode", 10**400, "mode", 10**400),
    ],
)
def test_enums_are_read_by_number_or_name(column: str, value: object, key: str, word: object) -> None:
    assert rows.wire(TRUEAI | {column: value})[key] == word


@pytest.mark.parametrize(
    ("value", "opened"),
    [
        ({"$numberLong": str(LONG_ID)}, LONG_ID),
        ({"$numberLong": 5}, 5),
        ({"$numberLong": "9" * 5000}, "9" * 5000),
        ({"$numberLong": "much"}, "much"),
        ({"$numberInt": "-3"}, -3),
        ({"$numberDouble": "2.5"}, 2.5),
        ({"$date": "2025-02-19T21:20:03Z"}, "2025-02-19T21:20:03Z"),
        ({"$date": {"$numberLong": "1740000003000"}}, 1740000003000),
        ({"$oid": "65f0c0ffee65f0c0ffee0001"}, "65f0c0ffee65f0c0ffee0001"),
        ({"$unknown": "1"}, {"$unknown": "1"}),
        ({"$date": 1, "more": 2}, {"$date": 1, "more": 2}),
        (_nested(5), [[[[[1]]]]]),
    ],
)
def test_extended_json_is_opened_at_any_depth(value: object, opened: object) -> None:
    told = rows.wire(DOCUMENT | {"Prompt": value, "Properties": {"inner": [value]}})
    assert (told["prompt"], told["properties"]) == (opened, {"inner": [opened]})


def test_an_id_in_extended_json_keeps_every_digit() -> None:
    assert _read(DOCUMENT | {"_id": {"$numberLong": str(LONG_ID)}}).id == str(LONG_ID)


def test_wrappers_deeper_than_any_form_stay() -> None:
    deep = _nested(500)
    assert rows.wire(DOCUMENT | {"Prompt": deep})["prompt"] == deep


@pytest.mark.parametrize(
    "number", ["NumberLong(1740000000456)", 'NumberLong("1740000000456")', "NumberLong( 1740000000456 )"]
)
def test_the_calls_of_mongodb_s_shell_are_extended_json(number: str) -> None:
    """As it prints documents, which is no JSON; a text that holds the like stays."""
    prompt = 'an \\"ISODate(5)\\" NumberLong(7)'
    document = f'{{"_id":ObjectId("65f0"),"Prompt":"{prompt}","BotType":NumberInt(1),"SubmitTime":{number}}}'
    for record in (document, document.encode()):
        task = normalize(record)
        assert (task.id, task.bot, task.prompt) == ("65f0", "niji", 'an "ISODate(5)" NumberLong(7)')
        assert task.submitted_at == datetime(2025, 2, 19, 21, 20, 0, 456000, UTC)
        assert json.loads(bytes(task.raw))["_id"] == {"$oid": "65f0"}


@pytest.mark.parametrize("value", ["NumberLong(1,2)", "NumberLong(", 'NumberLong("1"', "Binary(5)", "NumberLong(\\)"])
def test_what_is_no_such_call_is_malformed(value: str) -> None:
    with pytest.raises(MalformedRecord, match="not JSON"):
        normalize(f'{{"_id":"1","BotType":0,"SubmitTime":{value}}}')


@pytest.mark.parametrize("key", ["progress", "seed", "prompt", "submitTime"])
def test_extended_json_may_stand_in_any_key_of_a_wire_record(key: str) -> None:
    assert rows.wire(WIRE | {key: {"$numberInt": "65"}})[key] == 65


def test_json_in_the_texts_of_a_wire_record_is_read() -> None:
    told = {"buttons": [{"customId": "b"}], "properties": {"a": 1}, "imageUrls": ["a"], "videoUrls": [{"url": "v"}]}
    assert rows.wire(WIRE | {key: json.dumps(value) for key, value in told.items()}) == WIRE | told
    no_json = {"buttons": "[{", "properties": "", "imageUrls": "https://cdn.example.com/a.png"}
    assert rows.wire(WIRE | no_json) == WIRE | no_json


def test_a_number_for_an_enum_may_have_become_a_float() -> None:
    """As tools for data frames make of integers in a column with gaps."""
    assert rows.wire(CALLBACK | {"status": 5.0, "action": 1.0})["status"] == "SUCCESS"


def test_numbers_for_enums_change_nothing_else() -> None:
    record: dict[str, Any] = CALLBACK | {"mode": None, "displays": {"submitTime": "2025-02-20 05:20:00"}, "seed": ""}
    assert rows.wire(record) == record | {"status": "IN_PROGRESS", "action": "IMAGINE"}


@example(record=ROW | {"action": 0})
@given(record=mutated([*RECORDS, ROW, TRUEAI, DOCUMENT, CALLBACK, WIRE]))
def test_any_record_is_read_and_left_alone(record: dict[str, Any]) -> None:
    """Nothing raises, the record stays what it was, and what comes out is in the wire form already."""
    before = copy.deepcopy(record)
    told = rows.wire(record)
    assert record == before
    assert fields.is_object(told)
    assert rows.wire(told) == told
    assert rows.id_path(record).startswith("$.")
    assert rows.matches(record).certainty in Certainty


KEYS = [*(key for form in rows.FORMS for key in form.columns), "id", "Id", "_id", "payload", "$numberLong", "customId"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["[]", '{"id": 1}', "5"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*KEYS, "$date", "Url"]), inner),
    max_leaves=20,
)


@given(record=st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_mix_of_the_forms_keys_is_read(record: dict[str, Any]) -> None:
    before = repr(record)
    rows.wire(record)
    rows.matches(record)
    assert repr(record) == before
