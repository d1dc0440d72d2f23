"""Detection, documents of many records, and two records of one task."""

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

import mjbridge
from mjbridge import Button, Reject, Status, Task, records

GRID = {"id": "1", "status": "SUCCESS", "progress": "100%", "imageUrl": "https://cdn.example.com/g.png"}
APIMART: dict[str, Any] = {"id": "task_01KV52C0TEJSYZMCG0NCS4YWKK", "status": "SUCCESS", "image_urls": []}


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
    found = records.matches(APIMART)
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


SUBMITTED = Task(id="1", status=Status.PENDING, prompt="pig", parent_id="0", speed="fast", account="main")
RUNNING = Task(
    id="1", status=Status.PROCESSING, progress=40, preview_url="p", started_at=datetime(2026, 1, 1, tzinfo=UTC)
)
FINISHED = Task(
    id="1", status=Status.COMPLETED, progress=100, image_url="g", buttons=(Button("b"),), properties={"a": 1}
)


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


def test_merging_two_tasks_is_refused() -> None:
    with pytest.raises(ValueError, match="two tasks"):
        mjbridge.merge(FINISHED, Task(id="2"))


def test_a_preview_behind_the_picture_s_own_link_does_not_stay() -> None:
    proxied = Task(id="1", status=Status.PROCESSING, preview_url="g")
    assert mjbridge.merge(proxied, FINISHED).preview_url is None
