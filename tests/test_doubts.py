"""Doubtful values: told by path, value and what was done with them, for every provider, and only those."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjbridge import Issue, Task, normalize, records
from mjbridge.testing import mutated, record_cases

FIXTURES = Path(__file__).parent.parent / "fixtures"
GRID: dict[str, Any] = {"id": "1", "status": "SUCCESS", "progress": "100%", "submitTime": 1740000000123}
QUERY: dict[str, Any] = {"id": "1", "status": "SUCCESS", "progress": "100%", "created_at": 1740000000}
ROW: dict[str, Any] = {"id": 412, "mj_id": "1", "status": "SUCCESS", "progress": "100%", "submit_time": 1740000000123}
DOCUMENT: dict[str, Any] = {"_id": "1", "Status": 5, "BotType": 0, "SubmitTime": {"$numberLong": "1740000000456"}}
NESTED: dict[str, Any] = {"code": 200, "data": {"id": "1", "status": "completed", "progress": 100}}


def _issues(record: dict[str, Any] | bytes, provider: str | None) -> list[tuple[str, Any]]:
    found: list[Issue] = []
    (item,) = records.read([record], provider, on_issue=found.append)
    assert isinstance(item, Task)
    return [(issue.path, issue.value) for issue in found]


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize(
    ("record", "provider", "doubtful"),
    [
        (GRID, "cometapi", {"status": "RUNNING"}),
        (GRID, "octopusx", {"progress": "Waiting to start"}),
        (GRID, None, {"progress": "abc"}),
        (GRID, "mjproxy", {"submitTime": "yesterday"}),
        (GRID, "mjproxy", {"submitTime": -5, "startTime": "-5.50", "finishTime": "9999-12-31T23:59:59Z", "status": 99}),
        (GRID, "mjproxy", {"finishTime": 253402300800000, "startTime": 253402300800}),
        (GRID, "mjproxy", {"progress": "250%"}),
        (GRID, "mjproxy", {"progress": "-5%"}),
        (GRID, None, {"progress": "100.5 %"}),
        (GRID, "mjproxy", {"prompt": {"text": "a"}}),
        (GRID, "mjproxy", {"imageUrls": [{"link": "a"}]}),
        (GRID, "mjproxy", {"properties": "none"}),
        (GRID, "mjproxy", {"videoUrls": '["x.mp4"', "imageUrls": ' [{"url":"http://a/1.png"'}),
        (GRID, "mjproxy", {"imageUrls": '"http://a/1.png'}),
        (GRID, "mjproxy", {"image_urls": ["a", "a", 5]}),
        (GRID, "mjproxy", {"status": "RUNNING", "progress": "x", "seed": [1]}),
        (QUERY, "apimart", {"status": "RUNNING"}),
        (QUERY, "apimart", {"progress": "x", "created_at": "yesterday"}),
        (QUERY, "apimart", {"progress": "250%", "finished_at": 253402300800}),
        (QUERY, "apimart", {"image_urls": {"a": 1}}),
        (QUERY, "apimart", {"image_urls": '["a"'}),
        (ROW, None, {"buttons": "[{", "submit_time": "yesterday"}),
        (ROW, "mjproxy", {"properties": "5"}),
        (DOCUMENT, None, {"Properties": "[1]"}),
    ],
)
def test_a_value_that_left_no_trace_is_told(
    record: dict[str, Any], provider: str | None, doubtful: dict[str, Any], as_bytes: bool
) -> None:
    whole = {**record, "imageUrl": "u", **doubtful} if record is GRID else {**record, **doubtful}
    found = _issues(json.dumps(whole).encode() if as_bytes else whole, provider)
    assert dict(found) == {f"$.{key}": value for key, value in doubtful.items()}
    assert len(found) == len(doubtful)


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize(
    ("record", "silent"),
    [
        (GRID, {"properties": {"finalPrompt": "a pig"}, "id": 1}),
        (ROW, {"properties": '{"finalPrompt": "a pig"}'}),
        (GRID, {"progress": 0.65}),
        (GRID, {"progress": "0"}),
        (GRID, {"progress": "0.5%"}),
        (GRID, {"progress": "", "submitTime": 0, "failReason": None, "state": "", "buttons": []}),
        (GRID, {"unheard_of": {"a": 1}}),
        (ROW, {"properties": "null", "buttons": "[]", "finish_time": 0}),
        (DOCUMENT, {"FinishTime": {"$numberLong": "0"}, "Buttons": "[]"}),
        (NESTED, {}),
    ],
)
def test_what_says_nothing_and_what_nobody_reads_is_no_doubt(
    record: dict[str, Any], silent: dict[str, Any], as_bytes: bool
) -> None:
    whole = {**record, **silent}
    assert (
        _issues(json.dumps(whole).encode() if as_bytes else whole, "apimart" if record is NESTED else "mjproxy") == []
    )


def test_a_value_in_a_wrapper_is_told_by_its_whole_path() -> None:
    record = {"code": 200, "data": {"id": "1", "status": "completed", "result": {"images": 5}, "cost": "much"}}
    assert _issues(record, "apimart") == [("$.data.cost", "much")]
    assert _issues({"data": {"id": "1", "status": "odd"}}, "apimart") == [("$.data.status", "odd")]


def test_buttons_that_cannot_be_pressed_are_told() -> None:
    """As the record has them, not as a struct would."""
    buttons = [{"customId": "a"}, {"customId": "", "label": "U1", "emoji": None}, {"label": "U2", "more": 1}]
    for told in (buttons, buttons[:2], json.dumps(buttons)):
        record = GRID | {"buttons": told}
        for written in (record, json.dumps(record).encode()):
            (issue,) = _collected([written])
            assert (issue.path, issue.value) == ("$.buttons", told)
            assert issue.done == f"{2 if told != buttons[:2] else 1} without a custom id: left out"


def test_what_nobody_reads_may_be_no_text_where_a_value_beside_it_is_told() -> None:
    record = b'{"id":"1","status":"SUCCESS","progress":"x","unread":"\xff"}'
    found: list[Issue] = []
    (task,) = records.read([record], "mjproxy", keep_raw=False, on_issue=found.append)
    assert isinstance(task, Task)
    assert [issue.value for issue in found] == ["x"]


def test_a_progress_out_of_range_is_cut_and_told() -> None:
    record = {**GRID, "progress": 101}
    (issue,) = _collected([record])
    assert (issue.value, issue.done) == (101, "out of range: read as 100")
    (issue,) = _collected([{**record, "progress": -1}])
    assert issue.done == "out of range: read as 0"


@pytest.mark.parametrize("final_prompt", [["a", "b"], {"text": "a"}, True])
def test_a_final_prompt_that_is_no_text_is_told_and_left_in_properties(final_prompt: object) -> None:
    properties = {"finalPrompt": final_prompt, "finalZhPrompt": "猪"}
    for record in (GRID | {"properties": properties}, ROW | {"properties": json.dumps(properties)}):
        for written in (record, json.dumps(record).encode()):
            task = normalize(written, "mjproxy")
            assert (task.final_prompt, task.properties) == (None, properties)
            (issue,) = _collected([written])
            assert (issue.path, issue.value) == ("$.properties.finalPrompt", final_prompt)
            assert issue.done == "no text: left in properties"


@pytest.mark.parametrize("provider", ["mjproxy", "apimart"])
def test_bytes_are_text_or_told_and_what_is_kept_of_them_is_read_alike(provider: str) -> None:
    """As databases hand out what is in a column of bytes."""
    record = (GRID if provider == "mjproxy" else QUERY) | {"prompt": b"\xff\xfe", "description": "猪".encode()}
    task = normalize(record, provider)
    assert (task.prompt, task.description) == (None, "猪")
    for written in (record, bytes(task.raw)):
        (issue,) = _collected([written], provider)
        assert (issue.path, issue.value) == ("$.prompt", {"base64": "//4=", "subType": "00"})
    assert normalize(bytes(task.raw), provider) == task


@pytest.mark.parametrize(("record", "column"), [(GRID, "properties"), (ROW, "properties"), (DOCUMENT, "Properties")])
def test_bytes_that_are_no_text_are_no_properties(record: dict[str, Any], column: str) -> None:
    spoilt = {**record, column: b"\xff\xfe"}
    assert normalize(spoilt, "mjproxy").properties == {}
    assert _issues(spoilt, "mjproxy") == [(f"$.{column}", {"base64": "//4=", "subType": "00"})]


def test_a_value_in_a_list_is_told_by_its_place() -> None:
    buttons = [{"customId": "a", "style": 2}, {"customId": "b", "style": "Primary", "emoji": ""}]
    (issue,) = _collected([{**GRID, "buttons": buttons}])
    assert (issue.path, issue.value) == ("$.buttons[1].style", "Primary")


def test_an_issue_names_its_record_and_is_a_line_of_json() -> None:
    document = json.dumps([GRID, 7, {**GRID, "progress": "x"}]).encode()
    (issue,) = _collected(document)
    assert (issue.number, document[issue.offset :][:9]) == (3, b'{"id": "1')
    assert json.loads(issue.to_json())["value"] == "x"
    assert str(issue) == f"record 3 at byte {issue.offset}: $.progress: unreadable: left out"


def test_an_issue_of_a_file_with_a_strange_name_does_nothing_to_a_terminal() -> None:
    assert str(Issue(1, "$.progress", "x", "left out", source="\x1b[2Jin")).isprintable()


def test_a_record_inside_a_page_is_told_by_its_own_number() -> None:
    page = b'{"list": [%b, %b]}' % (json.dumps(GRID).encode(), json.dumps({**GRID, "progress": "x"}).encode())
    (issue,) = _collected(page)
    assert issue.number == 2


def _collected(source: Any, provider: str = "mjproxy") -> list[Issue]:
    found: list[Issue] = []
    list(records.read(source, provider, on_issue=found.append))
    return found


@pytest.mark.parametrize("provider", ["apimart", "cometapi", "mjproxy", "octopusx"])
@given(data=st.data())
def test_asking_for_issues_changes_no_task(provider: str, data: st.DataObject) -> None:
    """And every issue is a line of JSON."""
    cases = record_cases(FIXTURES / provider)
    record = data.draw(mutated([json.loads(each) for case in cases for each in case.records]))
    for source in ([record], [json.dumps(record).encode()]):
        found: list[Issue] = []
        asked = list(records.read(source, provider, on_issue=found.append))
        plain = list(records.read(source, provider))
        assert len(asked) == len(plain)  # of what was mutated into a page, as many as it has
        tasks = [each for each in asked if isinstance(each, Task)]
        assert tasks == [each for each in plain if isinstance(each, Task)]
        assert all(json.loads(issue.to_json())["path"].startswith("$.") for issue in found)
        assert tasks or not found
