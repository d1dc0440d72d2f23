"""Waiting for one task: the pace, the deadline, what stalls, and what ends it."""

import logging
from collections.abc import Sequence
from itertools import pairwise

import pytest

import mjbridge
from mjbridge import Action, Bridge, HttpRequest, HttpResponse, Imagine, MJBridgeError, Status, Task
from mjbridge.emulator import FailTask
from tests.rehearsals import Rehearsal, record, scripted
from tests.vendors import opened, running


def test_the_pace_begins_as_advised_and_slows_down_while_nothing_changes() -> None:
    bridge, vendors, _ = opened(running)
    with pytest.raises(mjbridge.WaitTimeout):
        bridge.wait("main:1", timeout=600)
    times = vendors["main"].times
    pauses = [after - before for before, after in pairwise(times)]
    # The first poll was news: the task was not seen before.
    assert pauses[:3] == pytest.approx([4, 4.8, 5.76])
    assert max(pauses) == 20
    assert sum(pauses) <= 600
    assert len(times) < 40


def test_a_change_brings_the_pace_back() -> None:
    bridge, vendors, _ = opened(
        lambda _id, now: "SUBMITTED" if now < 100 else "IN_PROGRESS" if now < 130 else "SUCCESS"
    )
    bridge.wait("main:1")
    times = [time for time in vendors["main"].times if time >= 100]
    assert times[1] - times[0] == pytest.approx(4)


def test_the_last_chance_before_the_deadline_is_not_slept_away() -> None:
    bridge, vendors, _ = opened(running)
    with pytest.raises(mjbridge.WaitTimeout):
        bridge.wait("main:1", timeout=100)
    assert vendors["main"].times[-1] > 95


def test_a_task_that_keeps_still_is_told_once_more_and_given_up_after_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bridge, _, clock = opened(running)
    began, seen = clock.now, list[float]()
    with caplog.at_level(logging.WARNING, logger="mjbridge"), pytest.raises(mjbridge.WaitTimeout) as caught:
        bridge.wait("main:1", timeout=86_400, on_update=lambda _task: seen.append(clock.now - began))
    assert seen[0] == 0
    assert 300 < seen[1] < 330
    assert len(seen) == 2
    assert [record.message for record in caplog.records] == [
        f"task main:1 has been processing (IN_PROGRESS) for {seen[1]:.0f} s"
    ]
    assert 3600 < clock.now - began < 3630
    assert "processing (IN_PROGRESS)" in str(caught.value)


def test_a_state_that_the_caller_knows_is_told_once_when_it_keeps_still() -> None:
    bridge, _, clock = opened(running)
    known, began, seen = bridge.fetch("main:1"), clock.now, list[float]()
    with pytest.raises(mjbridge.WaitTimeout):
        bridge.wait(known, timeout=600, on_update=lambda _task: seen.append(clock.now - began))
    (told,) = seen
    assert 300 < told < 330


def test_a_state_that_nobody_knows_is_given_up_after_minutes_and_can_be_waited_for_again() -> None:
    bridge, vendors, clock = opened(lambda _id, now: "DREAMING" if now < 500 else "SUCCESS")
    began = clock.now
    with pytest.raises(mjbridge.WaitTimeout) as caught:
        bridge.wait("main:1", timeout=86_400)
    assert 300 < clock.now - began < 330
    assert caught.value.task is not None
    assert (caught.value.task.status, caught.value.task.vendor_status) == (Status.UNKNOWN, "DREAMING")
    assert caught.value.account == "main"
    # Another process has but the ref.
    elsewhere = Bridge(
        bridge.config, clock=clock, sleep=clock.sleep, transport=lambda _provider, _settings: vendors["main"]
    )
    clock.sleep(200)
    assert elsewhere.wait(caught.value.task.ref).status is Status.COMPLETED


def test_a_poll_that_the_deadline_cut_ends_in_a_wait_time_out() -> None:
    bridge, vendors, clock = opened(running)

    def hang(request: HttpRequest) -> HttpResponse:
        clock.sleep(request.timeout or 0)
        raise mjbridge.Unavailable("no usable reply", accepted="maybe")

    vendors["main"].send = hang  # type: ignore[method-assign]  # a vendor that answers no more
    began = clock.now
    with pytest.raises(mjbridge.WaitTimeout, match="was not seen in time"):
        bridge.wait("main:1", timeout=30)
    assert clock.now - began == 30


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_wait_without_an_end_is_refused(timeout: float) -> None:
    bridge, transport, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match="seconds is none"):
        bridge.wait("main:1", timeout)
    assert transport.requests == []


def test_updates_come_only_with_a_change() -> None:
    bridge, _, _ = scripted([record(status="IN_PROGRESS"), record(status="IN_PROGRESS"), record(status="SUCCESS")])
    updates: list[Task] = []
    bridge.wait("main:1", on_update=updates.append)
    assert [task.status for task in updates] == [Status.PROCESSING, Status.COMPLETED]


def test_failures_in_passing_do_not_add_up() -> None:
    down, running = HttpResponse(503), record(status="IN_PROGRESS")
    bridge, _, _ = scripted([*([down] * 4), running, *([down] * 4), record(status="SUCCESS")])
    assert bridge.wait("main:1").status is Status.COMPLETED


@pytest.mark.parametrize(
    "task",
    [
        "main:1",
        Task(id="1", account="main", status=Status.PENDING, action=Action.VARIATION),
        Task(id="1", account="main", status=Status.NEEDS_INPUT, action=Action.MODAL),
    ],
    ids=["ref", "pending", "asking"],
)
def test_waiting_stops_at_needs_input(task: Task | str) -> None:
    bridge, transport, _ = scripted([record(status="MODAL")])
    assert bridge.wait(task, timeout=60).status is Status.NEEDS_INPUT
    assert len(transport.requests) == 1


def test_waiting_on_a_done_task_asks_nobody() -> None:
    bridge, transport, _ = scripted([])
    done = Task(id="1", account="main", status=Status.FAILED)
    assert bridge.wait(done) is done
    assert transport.requests == []


def test_waiting_keeps_what_the_vendor_no_longer_says() -> None:
    bridge, _, _ = scripted([HttpResponse(200, b'{"code":1,"result":"1"}'), record(status="SUCCESS")])
    task = bridge.wait(bridge.imagine("pig", state="order 17"))
    assert (task.prompt, task.state, task.status) == ("pig", "order 17", Status.COMPLETED)


def test_a_wait_that_runs_out_carries_the_last_task_and_can_go_on() -> None:
    bridge, transport, clock = scripted([record(status="IN_PROGRESS", progress=f"{n}%") for n in range(20)])
    began = clock.now
    with pytest.raises(mjbridge.WaitTimeout) as caught:
        bridge.wait("main:1", timeout=5)
    assert caught.value.task is not None
    assert caught.value.task.progress == len(transport.requests) - 1
    assert clock.now - began <= 5
    assert "main:1" in str(caught.value)


def test_a_poll_that_fails_in_passing_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    down = HttpResponse(503, b"", {"retry-after": "7"})
    bridge, _, clock = scripted([down, HttpResponse(200, b"<html>"), record(status="SUCCESS")])
    began = clock.now
    with caplog.at_level(logging.WARNING, logger="mjbridge"):
        assert bridge.wait("main:1").status is Status.COMPLETED
    assert clock.now - began == 8
    assert len(caplog.records) == 2
    assert "sk-secret" not in caplog.text


def test_a_vendor_that_stays_down_ends_the_wait() -> None:
    bridge, transport, _ = scripted([HttpResponse(503) for _ in range(9)])
    with pytest.raises(mjbridge.Unavailable):
        bridge.wait("main:1")
    assert len(transport.requests) == 5


def test_an_error_that_no_retry_mends_ends_the_wait_at_once() -> None:
    bridge, transport, _ = scripted([HttpResponse(401)])
    with pytest.raises(mjbridge.AuthenticationError):
        bridge.wait("main:1")
    assert len(transport.requests) == 1


def test_run_raises_for_a_failed_task_and_carries_it() -> None:
    rehearsal = Rehearsal("apimart")
    rehearsal.bridge.account("main")
    rehearsal.emulators[0].faults.add(FailTask(reason="the moon was in the way"))
    with pytest.raises(mjbridge.TaskFailed, match="the moon was in the way") as caught:
        rehearsal.bridge.run(Imagine(prompt="a lighthouse"))
    assert caught.value.task is not None
    assert caught.value.task.status is Status.FAILED
    assert rehearsal.bridge.run(Imagine(prompt="a lighthouse")).status is Status.COMPLETED


def test_a_task_that_failed_for_no_reason_says_so() -> None:
    failed = HttpResponse(200, b'{"id": "7", "status": "FAILURE"}')
    bridge, _, _ = scripted([HttpResponse(200, b'{"code":1,"result":"7"}'), failed])
    with pytest.raises(mjbridge.TaskFailed, match="task main:7 failed: the vendor gives no reason"):
        bridge.run(Imagine(prompt="a lighthouse"))


@pytest.mark.parametrize(
    "trouble",
    [[HttpResponse(401)], [mjbridge.Unavailable("no connection")] * 5, [HttpResponse(200, b"<html>")] * 5],
    ids=["refused", "no connection", "a page"],
)
def test_a_run_that_can_no_longer_ask_for_its_task_never_looks_like_a_refused_submit(
    trouble: Sequence[HttpResponse | MJBridgeError],
) -> None:
    """The task is paid for: who takes `Unavailable` for a submit that nobody took would pay again."""
    bridge, _, _ = scripted([HttpResponse(200, b'{"code":1,"result":"7"}'), *trouble])
    with pytest.raises(mjbridge.WaitTimeout, match="task main:7 was accepted") as caught:
        bridge.run(Imagine(prompt="pig"))
    assert caught.value.task is not None
    assert (caught.value.task.ref, caught.value.account) == ("main:7", "main")
    assert isinstance(caught.value.__cause__, MJBridgeError)
