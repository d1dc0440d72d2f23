"""Detection, documents of many records, and two records of one task."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

import mjbridge
from mjbridge import Button, MalformedRecord, Reject, Status, Task, plugins, records
from mjbridge.doubts import Doubt
from mjbridge.records import detection

GRID = {"id": "1", "status": "SUCCESS", "progress": "100%", "imageUrl": "https://cdn.example.com/g.png"}
APIMART: dict[str, Any] = {"id": "task_01KV52C0TEJSYZMCG0NCS4YWKK", "status": "SUCCESS", "image_urls": []}


SUBMITTED = Task(id="1", status=Status.PENDING, prompt="pig", parent_id="0", speed="fast", account="main")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING = Task(id="1", status=Status.PROCESSING, progress=40, preview_url="p", started_at=BEGAN)
BUTTONS = (Button("b"),)
FINISHED = Task(id="1", status=Status.COMPLETED, progress=100, image_url="g", buttons=BUTTONS, properties={"a": 1})


@pytest.mark.parametrize(
    ("record", "provider"),
    [
        (GRID, "mjproxy"),
        (GRID | {"imageUrl": "https://api.cometapi.com/mj/image/1"}, "cometapi"),
        (GRID | {"imageUrl": "https://api.cometapi.com.evil.example/mj/image/1"}, "mjproxy"),
        (GRID | {"imageUrl": "https://octopusx.ai/mj/image/1"}, "octopusx"),
        (APIMART, "apimart"),
        ({"id": "x", "status": "SUCCESS", "grid_image_url": "g"}, "apimart"),
        ({"code": 200, "data": {"id": "x", "status": "completed"}}, "apimart"),
        ({"id": "1", "status": "SUCCESS"}, None),
        ({"code": 1, "description": "Submit success", "result": "1"}, None),
        ({}, None),
    ],
)
def test_detection_names_the_dialect_or_nobody(record: dict[str, Any], provider: str | None) -> None:
    assert mjbridge.detect(record) == provider


def test_detection_says_why() -> None:
    found = detection.matches(APIMART)
    assert found["apimart"].reason == "an id of its form"
    assert found["mjproxy"].reason == ""


def test_a_record_that_nobody_recognises_asks_for_the_provider() -> None:
    with pytest.raises(mjbridge.MalformedRecord, match="name the provider"):
        mjbridge.normalize({"id": "1", "status": "SUCCESS"})
    assert mjbridge.normalize({"id": "1", "status": "SUCCESS"}, "octopusx").status is Status.COMPLETED


def test_an_unknown_provider_is_named_with_the_nearest() -> None:
    with pytest.raises(mjbridge.PluginError, match="did you mean 'cometapi'"):
        mjbridge.normalize(GRID, "cometap")


def test_a_canonical_record_passes_through_unchanged() -> None:
    task = mjbridge.normalize(GRID, "mjproxy")
    again = mjbridge.normalize(task.to_json())
    assert again == task
    assert bytes(again.raw) == bytes(task.raw)


@pytest.mark.parametrize(
    "document",
    [
        b'[{"id":"1","imageUrl":""},{"id":"2","imageUrl":""}]',
        b'{"data":[{"id":"1","imageUrl":""},{"id":"2","imageUrl":""}]}',
        b'{"success":true,"data":{"total":2,"items":[{"id":"1","imageUrl":""},{"id":"2","imageUrl":""}]}}',
        b'{"content":[{"id":"1","imageUrl":""},{"id":"2","imageUrl":""}],"last":true}',
        b' \n{"list": [{"id":"1","imageUrl":""},{"id":"2","imageUrl":""}] }',
    ],
)
def test_lists_and_pages_are_unwrapped(document: bytes) -> None:
    tasks = list(records.read(document))
    assert [task.id for task in tasks if isinstance(task, Task)] == ["1", "2"]
    assert next(bytes(task.raw) for task in tasks if isinstance(task, Task)) == b'{"id":"1","imageUrl":""}'


def test_one_record_is_no_page() -> None:
    (task,) = records.read(b'{"code":200,"data":{"id":"task_01KV52C0TEJSYZMCG0NCS4YWKK","status":"completed"}}')
    assert isinstance(task, Task)
    assert task.provider == "apimart"


def test_what_is_no_task_is_a_reject_that_holds_it_verbatim() -> None:
    first, reject, last = records.read(b'[{"id":"1","imageUrl":""}, [ 3 ] ,{"id":"2","imageUrl":""}]')
    assert isinstance(first, Task)
    assert isinstance(last, Task)
    assert isinstance(reject, Reject)
    assert (reject.number, bytes(reject.record)) == (2, b"[ 3 ]")


def test_merging_is_independent_of_arrival() -> None:
    merged = {
        mjbridge.merge(mjbridge.merge(one, other), third).to_json()
        for one, other, third in permutations((SUBMITTED, RUNNING, FINISHED))
    }
    assert len(merged) == 1


def test_merging_never_leaves_a_finished_state_and_loses_no_field() -> None:
    merged = mjbridge.merge(FINISHED, mjbridge.merge(RUNNING, SUBMITTED))
    assert merged.status is Status.COMPLETED
    for task in (SUBMITTED, RUNNING, FINISHED):
        for name in set(Task.__struct_fields__) - {"status", "progress", "raw"}:
            assert getattr(task, name) in (getattr(merged, name), None, "", (), {})


@pytest.mark.parametrize("other", [Task(id="2"), Task(id="1", account="spare"), Task(id="1", provider="apimart")])
def test_merging_two_tasks_is_refused(other: Task) -> None:
    known = Task(id="1", provider="mjproxy", account="main")
    with pytest.raises(ValueError, match="two tasks"):
        mjbridge.merge(known, other)
    with pytest.raises(ValueError, match="two tasks"):
        records.merge_all([known, Task(id="1"), other])


def test_what_a_record_leaves_empty_erases_no_property() -> None:
    old, new = (
        Task(id="1", status=status, properties=properties)
        for status, properties in (
            (Status.PROCESSING, {"finalZhPrompt": "猪", "k": 1, "gone": ""}),
            (Status.COMPLETED, {"finalZhPrompt": "", "k": None, "more": ""}),
        )
    )
    merged = {"finalZhPrompt": "猪", "k": 1, "gone": "", "more": ""}
    assert mjbridge.merge(old, new).properties == records.merge_all([new, old]).properties == merged


def test_the_times_of_a_canonical_record_are_utc_whatever_their_zone() -> None:
    line = b'{"schema_version":1,"id":"1","provider":"mjproxy","submitted_at":"2024-11-03T08:15:18","finished_at":"%b"}'
    task = mjbridge.normalize(line % b"2024-11-03T08:15:18+08:00")
    assert task.submitted_at == datetime(2024, 11, 3, 8, 15, 18, tzinfo=UTC)
    assert repr(task.finished_at) == repr(datetime(2024, 11, 3, 0, 15, 18, tzinfo=UTC))
    with pytest.raises(mjbridge.MalformedRecord, match="not a canonical task"):
        mjbridge.normalize(line % b"0001-01-01T00:00:00+08:00")


def test_what_a_merge_took_from_elsewhere_is_told_when_its_raw_is_read_again() -> None:
    raw = b'{"id":"1","imageUrl":"https://x/a.png","status":"SUCCESS"}'
    merged = mjbridge.merge(mjbridge.normalize(raw, "mjproxy"), Task(id="1", prompt="pig", texts=("a",)))
    doubts: list[Doubt] = []
    assert records.refreshed(merged, on_doubt=doubts.append) == mjbridge.normalize(raw, "mjproxy")
    told = {doubt.path: (doubt.value, doubt.done) for doubt in doubts}
    assert told == {"$.prompt": ("pig", "not in raw: left out"), "$.texts": (("a",), "not in raw: left out")}


def test_merging_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match="no record"):
        records.merge_all([])


def test_the_latest_of_many_records_is_a_task_an_id_and_account_in_order_of_first_appearance() -> None:
    known = [msgspec.structs.replace(task, account="main") for task in (RUNNING, FINISHED, SUBMITTED)]
    other, elsewhere = Task(id="other"), msgspec.structs.replace(known[0], account="spare")
    found = records.latest([known[0], other, known[1], elsewhere, known[2]])
    assert found == [records.merge_all(known), other, elsewhere]
    assert found[0].status is Status.COMPLETED


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (Task(id="1", status=Status.PENDING), Task(id="1", status=Status.NEEDS_INPUT)),
        (Task(id="1", status=Status.NEEDS_INPUT), Task(id="1", status=Status.PROCESSING)),
        (Task(id="1", status=Status.PROCESSING, progress=7), Task(id="1", status=Status.PROCESSING, progress=12)),
        (Task(id="1", status=Status.PROCESSING, progress=99), Task(id="1", status=Status.CANCELLED, progress=99)),
        (Task(id="1", status=Status.CANCELLED), Task(id="1", status=Status.FAILED)),
        (Task(id="1", status=Status.FAILED), Task(id="1", status=Status.COMPLETED)),
        (
            Task(id="1", status=Status.COMPLETED, image_url="z", finished_at=BEGAN),
            Task(id="1", status=Status.COMPLETED, image_url="a", finished_at=BEGAN + timedelta(seconds=1)),
        ),
    ],
)
def test_of_two_records_the_one_further_on_decides(earlier: Task, later: Task) -> None:
    for merged in (mjbridge.merge(earlier, later), mjbridge.merge(later, earlier)):
        assert (merged.status, merged.progress, merged.image_url) == (later.status, later.progress, later.image_url)


def test_merging_unites_properties_and_keeps_a_raw() -> None:
    old = Task(id="1", properties={"a": 1, "b": 1}, raw=msgspec.Raw(b"{}"))
    merged = mjbridge.merge(old, Task(id="1", status=Status.COMPLETED, properties={"b": 2}))
    assert merged.properties == {"a": 1, "b": 2}
    assert bytes(merged.raw) == b"{}"


def test_the_reason_of_a_failure_that_did_not_last_is_no_part_of_the_result() -> None:
    failed = Task(id="1", status=Status.FAILED, fail_reason="boom")
    assert mjbridge.merge(failed, FINISHED).fail_reason is None
    assert mjbridge.merge(Task(id="1", fail_reason="blurred"), FINISHED).fail_reason == "blurred"


def test_a_preview_under_new_api_s_changing_address_is_one_address() -> None:
    """It appends ?rand= and a number anew at every read, until the task is done."""
    record = GRID | {"status": "IN_PROGRESS"}
    seen = [mjbridge.normalize(record | {"imageUrl": f"https://r/mj/image/1{end}"}) for end in ("?rand=17", "?rand=18")]
    assert seen[0] == seen[1]
    assert mjbridge.merge(seen[0], mjbridge.normalize(GRID | {"imageUrl": "https://r/mj/image/1"})).preview_url is None
    signed = mjbridge.normalize(record | {"imageUrl": "https://r/mj/image/1?sig=ab"})
    assert signed.preview_url == "https://r/mj/image/1?sig=ab"


@pytest.mark.parametrize("provider", ["apimart", "cometapi", "mjproxy", "octopusx"])
def test_a_preview_is_never_rendered_as_a_picture(provider: str) -> None:
    plugin = plugins.load(provider)()
    task = Task(id="1", status=Status.COMPLETED, vendor_status="SUCCESS", preview_url="p")
    assert plugin.normalize(plugin.render(task)).image_url is None


@pytest.mark.parametrize("provider", ["apimart", "cometapi", "mjproxy", "octopusx"])
@pytest.mark.parametrize("written", [{"final_prompt": "1️⃣ a cat\n\n2️⃣ a dog"}, {"prompt_en": "x", "prompt": "y"}, {}])
def test_what_describe_answered_is_rendered_where_the_dialect_has_room(provider: str, written: dict[str, Any]) -> None:
    plugin = plugins.load(provider)()
    task = Task(id="1", status=Status.COMPLETED, action="describe", texts=("a cat", "a dog"), **written)
    assert plugin.normalize(plugin.render(task)).texts == ("a cat", "a dog")


def test_a_record_with_an_id_is_no_page_whatever_else_it_holds() -> None:
    (task,) = records.read(b'{"id":"1","status":"SUCCESS","imageUrl":"u","items":[],"data":{"list":[]}}', "mjproxy")
    assert isinstance(task, Task)


@pytest.mark.parametrize("document", [b"[]", b"3", b"{", b""])
def test_what_is_no_record_is_nobody_s(document: bytes) -> None:
    assert mjbridge.detect(document) is None


def test_a_canonical_record_names_its_own_provider_and_a_vendor_s_schema_version_is_no_sign() -> None:
    assert mjbridge.detect(Task(id="1", provider="octopusx", image_urls=("a",)).to_json()) == "octopusx"
    assert mjbridge.normalize(GRID | {"schema_version": 7}).provider == "mjproxy"


def test_any_mapping_is_a_record() -> None:
    frozen = MappingProxyType(GRID | {"properties": MappingProxyType({"a": 1})})
    assert mjbridge.normalize(frozen).properties == {"a": 1}


@pytest.mark.parametrize("value", ["\ud800", object()])
def test_what_json_cannot_hold_is_malformed_whether_raw_is_kept_or_not(value: object) -> None:
    for keep_raw in (True, False):
        with pytest.raises(mjbridge.MalformedRecord, match="what JSON cannot"):
            mjbridge.normalize(GRID | {"properties": {"a": value}}, "mjproxy", keep_raw=keep_raw)


def test_data_within_data_is_read_no_deeper_than_replies_go() -> None:
    deep = '{"id":"1","data":' * 300 + "{}" + "}" * 300
    with pytest.raises(mjbridge.MalformedRecord):
        mjbridge.normalize(deep.replace('"id":"1",', ""), "apimart")
    assert mjbridge.normalize(deep, "apimart").id == "1"


def test_a_preview_behind_the_picture_s_own_link_does_not_stay() -> None:
    proxied = Task(id="1", status=Status.PROCESSING, preview_url="g")
    assert mjbridge.merge(proxied, FINISHED).preview_url is None


@pytest.mark.parametrize("record", [None, 5, [], [GRID], memoryview(b"{}")], ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("provider", [*plugins.names(), None])
def test_what_a_json_reader_made_of_no_object_is_malformed(record: Any, provider: str | None) -> None:
    with pytest.raises(MalformedRecord, match="a record is a JSON object"):
        mjbridge.normalize(record, provider)


@pytest.mark.parametrize("provider", ["mjproxy", None])
def test_what_is_no_record_among_records_is_a_reject(provider: str | None) -> None:
    found: list[Any] = [None, 5, [GRID, "x"], GRID, object()]
    kinds = [type(item) for item in records.read(found, provider)]
    assert kinds == [Reject, Reject, Task, Reject, Task, Reject]


def stamped(record: dict[str, Any], **more: Any) -> bytes:
    return msgspec.json.encode({**record, **more})


@pytest.mark.parametrize("mark", ["grid_image_url", "data", "schema_version"])
def test_a_sign_of_another_dialect_leaves_the_record_to_be_judged(mark: str) -> None:
    """In bytes, which are recognised at sight, as in a mapping, which is always judged."""
    record = stamped(GRID, **{mark: "x"})
    assert told(record) == told(msgspec.json.decode(record))


@pytest.mark.parametrize("mark", ["imageUrl", "promptEn", "submitTime", "mj_id"])
@pytest.mark.parametrize("link", ["https://octopusx.ai/i/1.png", "https://api.cometapi.com/mj/image/1"])
def test_an_id_of_apimarts_form_in_a_record_of_the_family_is_left_to_be_judged(mark: str, link: str) -> None:
    record = stamped({"id": APIMART["id"], "status": "SUCCESS"}, **{mark: link})
    assert told(record) == told(msgspec.json.decode(record))


@pytest.mark.parametrize("progress", [10**18, -(10**18), 2**70, 0.65, 1.0, True])
def test_a_progress_is_read_alike_from_bytes_and_from_a_mapping(progress: float) -> None:
    record = stamped(APIMART, progress=progress)
    assert mjbridge.normalize(record).progress == mjbridge.normalize(msgspec.json.decode(record)).progress


@pytest.mark.parametrize(
    "link", ["https://octopusx.ai/i/1.png", "https://api.cometapi.com/mj/image/1", "https://cdn.example.com/1.png"]
)
@pytest.mark.parametrize("action", ["IMAGINE", "DESCRIBE"])
def test_records_of_a_mixed_file_are_told_apart_in_any_order(link: str, action: str) -> None:
    read = mjbridge.normalizer()
    records_in_turn = [stamped(GRID), stamped(GRID, imageUrl=link, action=action), stamped(APIMART)] * 3
    assert [read(record).provider for record in records_in_turn] == [mjbridge.detect(each) for each in records_in_turn]


UNREAD: list[dict[str, Any]] = [
    {"note": "?"},
    {"maskBase64": "?"},
    {"buttons": [{"customId": "MJ::JOB::reroll::0::d3adb33f", "note": "?"}]},
    {"imageUrls": [{"url": "https://cdn.example.com/1.png", "note": "?"}]},
]


@pytest.mark.parametrize("unread", UNREAD, ids=lambda unread: next(iter(unread)))
def test_invalid_utf8_where_nobody_reads_is_refused_if_raw_would_keep_it(unread: dict[str, Any]) -> None:
    record = stamped(GRID, **unread).replace(b'"?"', b'"\xff"')
    with pytest.raises(MalformedRecord):
        mjbridge.normalize(record, "mjproxy")


@pytest.mark.parametrize("unread", UNREAD, ids=lambda unread: next(iter(unread)))
def test_what_nobody_reads_is_kept_in_raw_and_changes_nothing_else(unread: dict[str, Any]) -> None:
    record = stamped(GRID, prompt="猫", **unread)
    task = mjbridge.normalize(record, "mjproxy")
    assert bytes(task.raw) == record
    assert task == mjbridge.normalize(record, "mjproxy", keep_raw=False)


def test_invalid_utf8_in_a_field_that_nobody_reads_harms_nobody_without_raw() -> None:
    record = stamped(GRID, note="?").replace(b'"?"', b'"\xff"')
    assert mjbridge.normalize(record, "mjproxy", keep_raw=False).id == GRID["id"]


@pytest.mark.parametrize(
    "record",
    [
        GRID,
        APIMART,
        *(GRID | {"imageUrl": f"{link}/1"} for link in ("https://octopusx.ai", "https://api.cometapi.com")),
    ],
    ids=["mjproxy", "apimart", "octopusx", "cometapi"],
)
def test_each_dialect_is_recognised_at_sight(record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """In hot loops nobody can be asked about each record."""
    read = mjbridge.normalizer()
    name = mjbridge.detect(record)
    monkeypatch.setattr(detection, "_judged", None)
    assert read(stamped(record)).provider == name


def told(record: Any) -> str:
    """The provider that reads a record, or why none does."""
    try:
        return mjbridge.normalize(record).provider
    except MalformedRecord as error:
        return error.message
