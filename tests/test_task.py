"""The canonical task as data."""

from datetime import UTC, datetime

import msgspec
import pytest

from mjbridge import Button, Status, Task


def test_the_order_of_the_fields_is_the_one_the_hot_builders_rely_on() -> None:
    assert Task.__struct_fields__ == (
        "id",
        "provider",
        "status",
        "vendor_status",
        "account",
        "action",
        "progress",
        "prompt",
        "prompt_en",
        "final_prompt",
        "description",
        "fail_reason",
        "state",
        "image_url",
        "image_urls",
        "preview_url",
        "video_urls",
        "texts",
        "buttons",
        "submitted_at",
        "started_at",
        "finished_at",
        "parent_id",
        "custom_id",
        "bot",
        "speed",
        "seed",
        "cost_usd",
        "properties",
        "raw",
        "attempts",
    )


def test_a_canonical_record_names_its_schema_and_leaves_defaults_out() -> None:
    task = Task(id="1", provider="mjproxy", status=Status.COMPLETED)
    assert task.to_json() == b'{"schema_version":1,"id":"1","provider":"mjproxy","status":"completed"}'
    assert task.schema_version == 1


def test_a_canonical_record_of_another_schema_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="schema_version"):
        msgspec.json.decode(b'{"schema_version":2,"id":"1"}', type=Task)


def test_raw_of_many_lines_stays_one_line_of_json() -> None:
    raw = b'{\r\n "id": "1",\n "prompt": "two\\nlines"\n}'
    line = Task(id="1", raw=msgspec.Raw(raw)).to_json()
    assert b"\n" not in line
    assert msgspec.json.decode(line)["raw"] == msgspec.json.decode(raw)


def test_equality_is_of_everything_but_raw() -> None:
    task = Task(id="1", provider="mjproxy", raw=msgspec.Raw(b"{}"))
    assert task == Task(id="1", provider="mjproxy")
    assert not task != Task(id="1", provider="mjproxy")  # noqa: SIM202 both operators have a say
    assert hash(task) == hash(Task(id="1", provider="mjproxy"))
    assert task != Task(id="1", provider="mjproxy", progress=1)
    assert task != "1"


def test_times_travel_with_their_zone() -> None:
    task = Task(id="1", submitted_at=datetime(2026, 11, 22, 10, tzinfo=UTC))
    assert b'"submitted_at":"2026-11-22T10:00:00Z"' in task.to_json()
    assert msgspec.json.decode(task.to_json(), type=Task) == task


@pytest.mark.parametrize(
    ("status", "done", "settled"),
    [
        (Status.PENDING, False, False),
        (Status.PROCESSING, False, False),
        (Status.UNKNOWN, False, False),
        (Status.NEEDS_INPUT, False, True),
        (Status.COMPLETED, True, True),
        (Status.FAILED, True, True),
        (Status.CANCELLED, True, True),
    ],
)
def test_done_is_the_end_and_settled_is_no_more_polling(status: Status, done: bool, settled: bool) -> None:
    task = Task(id="1", status=status)
    assert (task.done, task.settled) == (done, settled)


def test_images_are_the_singles_or_else_the_one_picture() -> None:
    assert Task(id="1", image_url="grid", image_urls=("a", "b")).images == ("a", "b")
    assert Task(id="1", image_url="grid").images == ("grid",)
    assert Task(id="1", preview_url="preview").images == ()


@pytest.mark.parametrize(
    ("custom_id", "kind", "index", "action"),
    [
        ("MJ::JOB::upsample::2::85a4b4c1", "upsample", 2, "upscale"),
        ("MJ::JOB::upsample_v6_2x_subtle::1::85a4b4c1::SOLO", "upsample_v6_2x_subtle", 1, "upscale"),
        ("MJ::JOB::variation::4::12345678", "variation", 4, "variation"),
        ("MJ::JOB::high_variation::1::85a4b4c1::SOLO", "high_variation", 1, "high_variation"),
        ("MJ::JOB::reroll::0::85a4b4c1::SOLO", "reroll", 0, "reroll"),
        ("MJ::JOB::pan_left::1::85a4b4c1::SOLO", "pan_left", 1, "pan"),
        ("MJ::Outpaint::50::1::85a4b4c1::SOLO", "outpaint", 1, "zoom"),
        ("MJ::CustomZoom::85a4b4c1", "customzoom", None, "custom_zoom"),
        ("MJ::Inpaint::1::85a4b4c1::SOLO", "inpaint", 1, "inpaint"),
        ("MJ::Job::PicReader::all", "picreader", None, ""),
        ("MJ::Job::PicReader::3", "picreader", 3, ""),
        ("MJ::JOB::animate_high::1::85a4b4c1::SOLO", "animate_high", 1, "video"),
        ("MJ::JOB", "", None, ""),
        ("something else", "", None, ""),
        ("MJ::JOB::upsample::²::85a4b4c1", "upsample", None, "upscale"),
        ("", "", None, ""),
    ],
)
def test_a_button_tells_its_kind_index_and_action(custom_id: str, kind: str, index: int | None, action: str) -> None:
    button = Button(custom_id)
    assert (button.kind, button.index, button.action) == (kind, index, action)


def test_a_button_is_found_by_kind_and_index_label_emoji_or_custom_id() -> None:
    upscale, reroll = Button("MJ::JOB::upsample::2::x", "U2"), Button("MJ::JOB::reroll::0::x::SOLO", emoji="🔄")
    task = Task(id="1", buttons=(upscale, reroll))
    assert task.button("upsample", 2) is task.button("U2") is task.button(upscale.custom_id) is upscale
    assert task.button("🔄") is task.button("reroll") is reroll
    assert task.button("upsample", 3) is None
    assert task.button("U3") is None


def test_a_ref_is_all_that_has_to_be_stored() -> None:
    assert Task(id="1730621718151844", account="main").ref == "main:1730621718151844"
