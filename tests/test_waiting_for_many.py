"""Waiting for many tasks at once: their pace, who is in trouble, what is lost, and the requests it costs."""

from collections import Counter
from itertools import pairwise
from typing import Any, Final

import pytest

import mjbridge
from mjbridge import Bridge, HttpRequest, HttpResponse, Status, Task, Unsettled
from mjbridge.testing import FakeTransport
from mjbridge.testing.contract import Clock
from tests.vendors import Vendor, opened, running

DOWN: Final = HttpResponse(503)


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
