"""Waiting for one task and for many: the pace, the deadline, what stalls, what is lost, and the requests it costs."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

import pytest

import mjbridge
from mjbridge import Action, Bridge, HttpRequest, HttpResponse, Imagine, MJBridgeError, Status, Task, Unsettled
from mjbridge.config import AccountSettings
from mjbridge.emulator import FailTask
from mjbridge.provider import Provider
from mjbridge.testing import FakeTransport
from mjbridge.testing.contract import Clock
from mjbridge.wire import Transport
from tests.rehearsals import Rehearsal, record, scripted

DOWN: Final = HttpResponse(503)


class Vendor(FakeTransport):
    """Lists and fetches by a function of the id and the time; None is a task that it does not know."""

    def __init__(self, clock: Clock, tell: Callable[[str, float], str | None]) -> None:
        super().__init__()
        self.began = clock.now
        self.times: list[float] = []
        self.batches: list[int] = []
        self.faults: list[HttpResponse | MJBridgeError] = []
        self._clock = clock
        self._tell = tell

    def send(self, request: HttpRequest) -> HttpResponse:
        now = self._clock.now - self.began
        self.times.append(now)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, MJBridgeError):
                raise fault
            return fault
        if request.path.endswith("/list-by-condition"):
            self.batches.append(len(request.json["ids"]))
            told = [record for task_id in request.json["ids"] if (record := self._record(task_id, now))]
            return HttpResponse(200, b"[%s]" % b",".join(told))
        record = self._record(request.path.rpartition("/")[0].rpartition("/")[2], now)
        return HttpResponse(200, record) if record else HttpResponse(400, b'{"code":4,"description":"task_no_found "}')

    def _record(self, task_id: str, now: float) -> bytes | None:
        status = self._tell(task_id, now)
        return json.dumps({"id": task_id, "action": "IMAGINE", "status": status}).encode() if status else None


def opened(
    tell: Callable[[str, float], str | None], names: Sequence[str] = ("main",), **account: Any
) -> tuple[Bridge, dict[str, Vendor], Clock]:
    """A bridge over vendors that tell so, on a clock that its sleeps move."""
    clock = Clock()
    vendors = {name: Vendor(clock, tell) for name in names}

    def transport(_provider: Provider, settings: AccountSettings) -> Transport:
        return vendors[(settings.base_url or "").removeprefix("http://")]

    settings = {"provider": "mjproxy", "poll_interval": 4} | account
    accounts = {name: settings | {"base_url": f"http://{name}"} for name in names}
    return Bridge({"accounts": accounts}, clock=clock, sleep=clock.sleep, transport=transport), vendors, clock


def running(_task_id: str, _now: float) -> str:
    return "IN_PROGRESS"


# One task.


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


# Many.


def test_many_tasks_settle_one_by_one_each_told_once() -> None:
    bridge, vendors, _ = opened(lambda task_id, now: "SUCCESS" if now >= int(task_id) else "IN_PROGRESS")
    updates: list[str] = []
    settled = list(
        bridge.wait_many([f"main:{n}" for n in (30, 10, 20)], on_update=lambda task: updates.append(task.id))
    )
    assert [task.ref for task in settled] == ["main:10", "main:20", "main:30"]
    assert all(isinstance(task, Task) and task.status is Status.COMPLETED for task in settled)
    assert Counter(updates) == {"10": 2, "20": 2, "30": 2}
    assert vendors["main"].batches[-1] == 1


def test_a_task_that_is_done_asks_nobody_and_one_that_is_named_twice_is_told_once() -> None:
    bridge, vendors, _ = opened(lambda _id, _now: "SUCCESS")
    done = Task(id="7", account="main", status=Status.FAILED)
    assert list(bridge.wait_many([done])) == [done]
    assert vendors["main"].times == []
    assert len(list(bridge.wait_many(["main:1", "main:1"]))) == 1


def test_what_is_no_ref_is_refused_before_any_request() -> None:
    bridge, vendors, _ = opened(running)
    with pytest.raises(mjbridge.InvalidCommand):
        bridge.wait_many(["main:1", "nonsense"])
    with pytest.raises(mjbridge.InvalidCommand, match="seconds is none"):
        bridge.wait_many(["main:1"], timeout=-1)
    assert vendors["main"].times == []


def test_a_task_that_the_vendor_no_longer_lists_is_told_of_and_the_others_go_on() -> None:
    bridge, _, _ = opened(lambda task_id, now: None if task_id == "2" else "SUCCESS" if now > 20 else "IN_PROGRESS")
    outcomes = list(bridge.wait_many(["main:1", "main:2", "main:3"]))
    (lost,) = [each for each in outcomes if isinstance(each, Unsettled)]
    assert (lost.ref, type(lost.error), lost.task) == ("main:2", mjbridge.TaskNotFound, None)
    assert sorted(each.ref for each in outcomes if isinstance(each, Task)) == ["main:1", "main:3"]


def test_a_task_that_one_list_leaves_out_is_not_lost() -> None:
    bridge, vendors, _ = opened(lambda _id, _now: "SUCCESS")
    vendors["main"].faults.append(HttpResponse(200, b"[]"))
    assert [each.ref for each in bridge.wait_many(["main:1"]) if isinstance(each, Task)] == ["main:1"]


def test_a_task_that_the_first_poll_does_not_know_is_not_lost() -> None:
    bridge, vendors, _ = opened(lambda _id, now: "SUCCESS" if now else None)
    assert bridge.wait("main:1").status is Status.COMPLETED
    assert len(vendors["main"].times) == 2


def test_a_task_that_the_vendor_does_not_know_is_given_up_at_the_second_look() -> None:
    bridge, vendors, _ = opened(lambda _id, _now: None)
    with pytest.raises(mjbridge.TaskNotFound):
        bridge.wait("main:1")
    assert len(vendors["main"].times) == 2


def test_misses_with_the_task_seen_in_between_are_no_two_in_a_row() -> None:
    answers = iter([None, "IN_PROGRESS", None, "SUCCESS"])
    bridge, _, _ = opened(lambda _id, _now: next(answers))
    assert bridge.wait("main:1").status is Status.COMPLETED


def test_an_account_that_cannot_be_used_stops_no_other() -> None:
    """Its key is missing, or it was taken out of the configuration while its refs are still stored."""
    accounts = {
        "main": {"provider": "mjproxy", "base_url": "emulator:"},
        "keyless": {"provider": "cometapi", "api_key": "env:NO_SUCH_KEY"},
    }
    bridge = Bridge({"accounts": accounts}, sleep=lambda _: None)
    stored = Task(id="3", account="gone")
    task = bridge.imagine("a lighthouse", route="main")
    outcomes = {each.ref: each for each in bridge.wait_many(["keyless:1", task, "keyless:1", stored], timeout=60)}
    assert list(outcomes) == ["keyless:1", "gone:3", task.ref]
    keyless, gone, done = outcomes.values()
    assert isinstance(keyless, Unsettled)
    assert isinstance(gone, Unsettled)
    assert isinstance(done, Task)
    assert (type(keyless.error), keyless.error.account) == (mjbridge.ConfigError, "keyless")
    assert (type(gone.error), gone.task) == (mjbridge.ConfigError, stored)


@pytest.mark.parametrize("one", ["main:1", Task(id="1", account="main")])
def test_one_task_where_many_are_asked_for_is_refused(one: Any) -> None:
    bridge, vendors, _ = opened(running)
    for many in (bridge.wait_many, bridge.fetch_many):
        with pytest.raises(mjbridge.InvalidCommand, match=r"'main:1' is one task.*put it in a list"):
            many(one)
    assert vendors["main"].times == []


def test_tasks_without_an_end_come_with_their_last_state_at_the_deadline() -> None:
    bridge, _, clock = opened(running)
    began = clock.now
    (left,) = bridge.wait_many(["main:1"], timeout=60)
    assert isinstance(left, Unsettled)
    assert isinstance(left.error, mjbridge.WaitTimeout)
    assert (left.error.account, left.error.provider, left.error.operation) == ("main", "mjproxy", "wait")
    assert left.task is not None
    assert left.task.status is Status.PROCESSING
    assert clock.now - began <= 60


def test_an_account_in_trouble_does_not_stop_the_others() -> None:
    bridge, vendors, _ = opened(lambda _id, _now: "SUCCESS", ["sound", "shaky", "shut"])
    vendors["shaky"].faults.extend([DOWN] * 8)
    vendors["shut"].faults.extend([HttpResponse(401)] * 8)
    order = list(bridge.wait_many(["shut:1", "shaky:1", "sound:1"]))
    refs = [each.ref for each in order]
    assert sorted(refs) == ["shaky:1", "shut:1", "sound:1"]
    assert refs[-1] == "shaky:1"
    (refused,) = [each for each in order if isinstance(each, Unsettled)]
    assert (refused.ref, type(refused.error)) == ("shut:1", mjbridge.AuthenticationError)
    assert (refused.error.account, refused.error.operation) == ("shut", "fetch_many")
    pauses = [after - before for before, after in pairwise(vendors["shaky"].times)]
    assert pauses == sorted(pauses)


def test_a_vendor_s_retry_after_is_kept_while_others_are_polled() -> None:
    bridge, vendors, _ = opened(lambda _id, now: "SUCCESS" if now > 30 else "IN_PROGRESS", ["one", "two"])
    vendors["one"].faults.append(HttpResponse(429, b"", {"retry-after": "50"}))
    list(bridge.wait_many(["one:1", "two:1"]))
    assert vendors["one"].times == [0, 50]
    assert len(vendors["two"].times) > 3


def test_a_poll_that_succeeds_ends_a_row_of_failures_for_many_too() -> None:
    bridge, vendors, _ = opened(lambda _id, _now: "SUCCESS")
    listed = HttpResponse(200, b'[{"id": "1", "action": "IMAGINE", "status": "IN_PROGRESS"}]')
    vendors["main"].faults.extend([DOWN, DOWN, DOWN, DOWN, listed, DOWN])
    assert len(list(bridge.wait_many(["main:1"]))) == 1
    pauses = [after - before for before, after in pairwise(vendors["main"].times)]
    assert pauses[:4] == pytest.approx([4.8, 5.76, 2 * 5.76, 4 * 6.912])
    assert pauses[5] < 8


def test_the_pace_of_many_slows_down_while_none_changes_and_a_change_of_any_brings_it_back() -> None:
    def tell(task_id: str, now: float) -> str:
        return "IN_PROGRESS" if now < 40 or task_id == "2" else "SUCCESS"

    bridge, vendors, _ = opened(tell)
    list(bridge.wait_many(["main:1", "main:2"], timeout=90))
    pauses = [after - before for before, after in pairwise(vendors["main"].times)]
    slower = [4 * 1.2**times for times in range(7)]
    assert pauses[:12] == pytest.approx([*slower, *slower[:5]])


def test_an_account_that_hangs_takes_none_of_the_others_time() -> None:
    """A poll lasts as long as its vendor is silent, and the tasks of all accounts share one deadline."""
    bridge, vendors, clock = opened(lambda _id, _now: "SUCCESS", ["hung", "sound"])

    def hang(request: HttpRequest) -> HttpResponse:
        clock.sleep(min(request.timeout or 0, 70))
        raise mjbridge.Unavailable("no usable reply", accepted="maybe")

    vendors["hung"].send = hang  # type: ignore[method-assign]  # a vendor that answers no more
    began = clock.now
    outcomes = list(bridge.wait_many(["hung:1", "sound:1"], timeout=60))
    assert [(each.ref, isinstance(each, Task)) for each in outcomes] == [("sound:1", True), ("hung:1", False)]
    assert clock.now - began <= 60


def test_without_a_pause_between_polls_a_vendor_that_is_down_is_not_hammered() -> None:
    bridge, vendors, _ = opened(running, poll_interval=0)
    vendors["main"].faults.extend([DOWN] * 5)
    with pytest.raises(mjbridge.Unavailable):
        bridge.wait("main:1", timeout=600)
    assert vendors["main"].times == [0, 0.5, 1, 2, 4]
    vendors["main"].faults.extend([DOWN] * 40)
    vendors["main"].times.clear()
    (left,) = bridge.wait_many(["main:1"], timeout=600)
    assert isinstance(left, Unsettled)
    assert len(vendors["main"].times) < 40


def test_without_a_pause_between_polls_the_deadline_is_still_a_wait_time_out() -> None:
    bridge, vendors, clock = opened(running, poll_interval=0)

    def slowly(request: HttpRequest) -> HttpResponse:
        clock.sleep(1)
        return Vendor.send(vendors["main"], request)

    vendors["main"].send = slowly  # type: ignore[method-assign]  # each answer takes a second
    with pytest.raises(mjbridge.WaitTimeout) as caught:
        bridge.wait("main:1", timeout=10)
    assert caught.value.task is not None


def test_without_a_list_an_account_s_tasks_are_asked_for_one_by_one_and_the_others_in_between() -> None:
    clock = Clock()
    asked: list[str] = []

    class Single(FakeTransport):
        def send(self, request: HttpRequest) -> HttpResponse:
            asked.append("apimart" if request.path.startswith("/v1") else "mjproxy")
            if request.path.startswith("/v1"):
                return HttpResponse(200, b'{"id": "%s", "status": "SUCCESS"}' % request.path[-1:].encode())
            return HttpResponse(200, b'[{"id": "1", "status": "SUCCESS"}]')

    accounts = {
        "a": {"provider": "apimart", "api_key": "sk-x"},
        "m": {"provider": "mjproxy", "base_url": "http://mj"},
    }
    bridge = Bridge(
        {"accounts": accounts}, clock=clock, sleep=clock.sleep, transport=lambda _provider, _settings: Single()
    )
    assert len(list(bridge.wait_many(["a:1", "a:2", "a:3", "m:1"]))) == 4
    assert Counter(asked) == {"apimart": 3, "mjproxy": 1}


def test_ten_thousand_tasks_over_three_accounts_cost_requests_by_batches() -> None:
    names = ["one", "two", "three"]
    bridge, vendors, _ = opened(
        lambda task_id, now: "SUCCESS" if now > int(task_id) % 5 * 10 else "IN_PROGRESS", names, poll_interval=10
    )
    refs = [f"{names[number % 3]}:{number}" for number in range(10_000)]
    seen: Counter[str] = Counter()
    for outcome in bridge.wait_many(iter(refs), timeout=3600):
        assert isinstance(outcome, Task)
        seen[outcome.ref] += 1
    assert seen == Counter(refs)
    rounds = 6
    batches = sum(-(-len(refs) // 3 // 100) for _ in names)
    requests = sum(len(vendor.times) for vendor in vendors.values())
    assert requests <= rounds * (batches + 3)
    assert max(max(vendor.batches) for vendor in vendors.values()) == 100


def test_fetching_many_asks_in_batches_too() -> None:
    bridge, vendors, _ = opened(running)
    assert len(bridge.fetch_many([f"main:{number}" for number in range(250)])) == 250
    assert vendors["main"].batches == [100, 100, 50]


# What else a wait for one task does.


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
