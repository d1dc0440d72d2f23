"""What an account may do at a time: requests a second, tasks in flight; and how reads are tried again."""

import itertools
import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

import mjbridge
from mjbridge import Bridge, HttpRequest, HttpResponse, MJBridgeError
from mjbridge.limits import LONGEST_TASK, CoolDown
from mjbridge.testing import FakeTransport
from mjbridge.testing.contract import Clock
from tests.processes import PATIENCE

DOWN: Final = HttpResponse(503)
PAGE: Final = HttpResponse(200, b"<html>")
FULL: Final = (
    "max_in_flight is 1, and so many tasks are in flight: "
    "a place is free when this bridge sees one of them settle, so wait for one, or fetch it"
)


def accepted(task_id: str) -> HttpResponse:
    return HttpResponse(200, json.dumps({"code": 1, "result": task_id}).encode())


def record(task_id: str, status: str = "SUCCESS") -> HttpResponse:
    return HttpResponse(200, json.dumps({"id": task_id, "status": status}).encode())


class Timed(FakeTransport):
    """A scripted vendor that remembers when it was asked."""

    def __init__(self, clock: Clock, replies: Sequence[HttpResponse | MJBridgeError]) -> None:
        super().__init__(replies)
        self.times: list[float] = []
        self._clock = clock
        self._began = clock.now

    def send(self, request: HttpRequest) -> HttpResponse:
        self.times.append(round(self._clock.now - self._began, 3))
        return super().send(request)


def opened(
    replies: Sequence[HttpResponse | MJBridgeError], chance: float = 0.0, route: Any = None, **account: Any
) -> tuple[Bridge, Timed, Clock]:
    clock = Clock()
    transport = Timed(clock, replies)
    config: dict[str, Any] = {"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj", **account}}}
    bridge = Bridge(
        config | ({"routes": {"default": route}} if route else {}),
        clock=clock,
        sleep=clock.sleep,
        chance=lambda: chance,
        transport=lambda _provider, _settings: transport,
    )
    return bridge, transport, clock


# Reads.

READS: Final[dict[str, tuple[Callable[[Bridge], object], HttpResponse]]] = {
    "fetch": (lambda bridge: bridge.fetch("main:1"), record("1")),
    "fetch_many": (lambda bridge: bridge.fetch_many(["main:1"]), HttpResponse(200, b'[{"id": "1"}]')),
    "seed": (lambda bridge: bridge.seed("main:1"), HttpResponse(200, b'{"code": 1, "result": "7"}')),
    "image": (lambda bridge: bridge.image("main:1"), HttpResponse(200, b"\x89PNG\r\n\x1a\n")),
}


@pytest.mark.parametrize("read", READS)
def test_a_read_that_fails_in_passing_is_tried_again(read: str) -> None:
    call, answer = READS[read]
    bridge, transport, _ = opened([DOWN, mjbridge.Unavailable("reset", accepted="maybe"), DOWN, answer])
    assert call(bridge)
    assert len(transport.times) == 4


def test_a_read_gives_up_after_four_tries_with_the_vendor_s_own_error() -> None:
    bridge, transport, _ = opened([DOWN, PAGE, DOWN, PAGE, record("1")])
    with pytest.raises(mjbridge.MalformedReply):
        bridge.fetch("main:1")
    assert len(transport.times) == 4


@pytest.mark.parametrize(("chance", "times"), [(0.0, [0, 0.25, 0.75, 1.75]), (1.0, [0, 0.5, 1.5, 3.5])])
def test_the_pauses_double_and_chance_takes_up_to_half_of_each(chance: float, times: list[float]) -> None:
    bridge, transport, _ = opened([DOWN, DOWN, DOWN, record("1")], chance)
    bridge.fetch("main:1")
    assert transport.times == times


def test_a_read_waits_as_long_as_the_vendor_asks_up_to_a_minute() -> None:
    bridge, transport, _ = opened([HttpResponse(429, b"", {"retry-after": "40"}), record("1")])
    bridge.fetch("main:1")
    assert transport.times == [0, 40]
    bridge, transport, _ = opened([HttpResponse(429, b"", {"retry-after": "61"})])
    with pytest.raises(mjbridge.RateLimited):
        bridge.fetch("main:1")


def test_a_read_ends_with_its_deadline() -> None:
    bridge, transport, clock = opened([HttpResponse(429, b"", {"retry-after": "40"})])
    began = clock.now
    with pytest.raises(mjbridge.RateLimited):
        bridge.fetch("main:1", timeout=30)
    assert (clock.now, len(transport.times)) == (began, 1)


@pytest.mark.parametrize("answer", [HttpResponse(401), HttpResponse(400, b'{"code":4,"description":"task_no_found "}')])
def test_what_no_retry_mends_is_told_at_once(answer: HttpResponse) -> None:
    bridge, transport, _ = opened([answer])
    with pytest.raises(MJBridgeError):
        bridge.fetch("main:1")
    assert len(transport.times) == 1


def test_a_submit_is_not_tried_again_even_when_it_was_refused() -> None:
    bridge, transport, _ = opened([DOWN])
    with pytest.raises(mjbridge.Unavailable):
        bridge.imagine("pig")
    assert len(transport.times) == 1


def test_each_request_is_given_what_is_left_of_the_call() -> None:
    bridge, transport, _ = opened([HttpResponse(429, b"", {"retry-after": "10"}), record("1")])
    bridge.fetch("main:1", timeout=30)
    assert [request.timeout for request in transport.requests] == [30, 20]


# Requests a second.


def test_requests_keep_their_distance() -> None:
    bridge, transport, _ = opened([record("1")] * 5, max_rate=2)
    for _ in range(5):
        bridge.fetch("main:1")
    assert transport.times == [0, 0.5, 1.0, 1.5, 2.0]


def test_a_rate_below_one_a_second_is_a_rate() -> None:
    bridge, transport, _ = opened([record("1")] * 3, max_rate=0.1)
    for _ in range(3):
        bridge.fetch("main:1")
    assert transport.times == [0, 10, 20]


def test_who_would_get_no_turn_in_time_is_told_at_once_and_takes_no_turn() -> None:
    bridge, transport, clock = opened([accepted("1"), accepted("2")], max_rate=0.1)
    bridge.imagine("pig")
    began = clock.now
    with pytest.raises(mjbridge.RateLimited, match="max_rate") as caught:
        bridge.imagine("pig", timeout=5)
    assert (caught.value.accepted, caught.value.retry_after, clock.now) == ("no", 10, began)
    bridge.imagine("pig")
    assert transport.times == [0, 10]


def test_threads_that_fail_together_are_one_failure() -> None:
    clock = Clock()
    rest = CoolDown(clock)
    assert [rest.begin(mjbridge.Unavailable("down"), 30) for _ in range(3)] == [30, 30, 30]
    clock.sleep(30)
    assert rest.begin(mjbridge.Unavailable("down"), 30) == 60


def test_our_own_rate_does_not_cool_the_account_down() -> None:
    bridge, transport, _ = opened([accepted("1"), accepted("2")], max_rate=0.1, route=["main"])
    bridge.imagine("pig")
    with pytest.raises(mjbridge.AllAccountsFailed):
        bridge.imagine("pig", timeout=5)
    bridge.imagine("pig")
    assert transport.times == [0, 10]


def test_threads_share_the_rate() -> None:
    bridge, transport, clock = opened([record("1")] * 8, max_rate=1)
    began = clock.now
    threads = [threading.Thread(target=bridge.fetch, args=("main:1",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(transport.requests) == 8
    assert clock.now - began >= 7


# Tasks in flight.


def test_a_full_account_is_refused_here_until_one_of_its_tasks_is_seen_settled() -> None:
    bridge, transport, _ = opened(
        [accepted("1"), accepted("2"), record("1", "IN_PROGRESS"), record("1"), accepted("3")], max_in_flight=2
    )
    bridge.imagine("pig")
    bridge.imagine("pig")
    for _ in range(2):
        with pytest.raises(mjbridge.RateLimited, match="max_in_flight is 2") as caught:
            bridge.imagine("pig")
        assert (caught.value.accepted, caught.value.account) == ("no", "main")
    bridge.fetch("main:1")
    with pytest.raises(mjbridge.RateLimited):
        bridge.press("main:1", "MJ::JOB::reroll::0::x::SOLO")
    bridge.fetch("main:1")
    bridge.imagine("pig")
    assert len(transport.requests) == 5


@pytest.mark.parametrize("refusal", [DOWN, mjbridge.Unavailable("reset", accepted="maybe"), HttpResponse(401)])
def test_a_submit_that_became_no_task_of_ours_frees_its_place(refusal: HttpResponse | MJBridgeError) -> None:
    bridge, _, _ = opened([refusal, accepted("1")], max_in_flight=1)
    with pytest.raises(MJBridgeError):
        bridge.imagine("pig")
    assert bridge.imagine("pig").id == "1"


def test_a_task_that_nobody_asks_for_again_does_not_block_for_ever() -> None:
    bridge, _, clock = opened([accepted("1"), accepted("2")], max_in_flight=1)
    bridge.imagine("pig")
    clock.sleep(LONGEST_TASK + 1)
    bridge.imagine("pig")


def test_a_list_frees_places_too() -> None:
    listed = HttpResponse(200, b'[{"id": "1", "status": "FAILURE"}, {"id": "2", "status": "MODAL"}]')
    bridge, _, _ = opened([accepted("1"), accepted("2"), listed, accepted("3"), accepted("4")], max_in_flight=2)
    refs = [bridge.imagine("pig").ref for _ in range(2)]
    bridge.fetch_many(refs)
    assert [bridge.imagine("pig").id for _ in range(2)] == ["3", "4"]


def test_a_callback_that_overtakes_the_answer_to_its_submit_frees_the_place() -> None:
    """The vendor may finish a task, and tell, while the answer that names it is still on its way."""
    bridge, transport, _ = opened([], max_in_flight=1)
    ids = map(str, itertools.count(1))

    def overtaking(request: HttpRequest) -> HttpResponse:
        assert request.submits
        task_id = next(ids)
        assert bridge.receive(record(task_id).body, "main")
        return accepted(task_id)

    transport.send = overtaking  # type: ignore[method-assign]  # a vendor that is fast
    assert [bridge.imagine("pig").id for _ in range(3)] == ["1", "2", "3"]


def test_a_route_passes_a_full_account_over_whatever_it_falls_back_on_and_does_not_cool_it_down() -> None:
    transports = {
        "one": FakeTransport([accepted("1"), record("1"), accepted("2")]),
        "two": FakeTransport([accepted("9")]),
    }
    accounts = {name: {"provider": "mjproxy", "base_url": f"http://{name}", "max_in_flight": 1} for name in transports}
    bridge = Bridge(
        {"accounts": accounts, "routes": {"default": {"accounts": ["one", "two"], "fall_back_on": []}}},
        transport=lambda _provider, settings: transports[(settings.base_url or "").removeprefix("http://")],
    )
    assert bridge.imagine("pig").ref == "one:1"
    task = bridge.imagine("pig")
    assert (task.ref, [attempt.category for attempt in task.attempts]) == ("two:9", ["RateLimited"])
    with pytest.raises(mjbridge.AllAccountsFailed) as caught:
        bridge.imagine("pig")
    assert caught.value.retry_after is None
    bridge.fetch("one:1")
    assert bridge.imagine("pig").ref == "one:2"


def test_a_route_that_waits_takes_the_place_that_becomes_free(caplog: pytest.LogCaptureFixture) -> None:
    """And says once that it waits, and how a place becomes free: while it waits, nobody polls for it."""
    caplog.handler.setLevel(logging.INFO)
    transport = FakeTransport([accepted("1"), record("1"), accepted("2")])
    clock, naps = Clock(), list[float]()

    def nap(seconds: float) -> None:
        clock.sleep(seconds)
        naps.append(seconds)
        if len(naps) == 3:
            bridge.fetch("main:1")

    bridge = Bridge(
        {
            "accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj", "max_in_flight": 1}},
            "routes": {"default": {"accounts": ["main"], "wait": True}},
        },
        clock=clock,
        sleep=nap,
        transport=lambda _provider, _settings: transport,
    )
    assert [bridge.imagine("pig").id for _ in range(2)] == ["1", "2"]
    assert naps == [0.5, 0.5, 0.5]
    told = [each for each in caplog.records if each.levelno >= logging.INFO]
    assert [each.getMessage() for each in told] == [
        f"route default waits for an account to be free again: main: RateLimited: {FULL}"
    ]


def test_who_finds_an_account_full_is_told_how_a_place_becomes_free() -> None:
    bridge, _, _ = opened([accepted("1")], max_in_flight=1)
    bridge.imagine("pig")
    with pytest.raises(mjbridge.RateLimited) as caught:
        bridge.imagine("pig")
    assert caught.value.message == FULL
    assert (caught.value.account, caught.value.provider, caught.value.operation) == ("main", "mjproxy", "submit")


def test_threads_never_have_more_tasks_in_flight_than_allowed() -> None:
    """Sixteen submit at once, and three places are three tasks."""
    ids = itertools.count(1)

    class Vendor(FakeTransport):
        def send(self, request: HttpRequest) -> HttpResponse:
            return accepted(str(next(ids)))

    bridge = Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj", "max_in_flight": 3}}},
        transport=lambda _provider, _settings: Vendor(),
    )
    start = threading.Barrier(16)

    def submit(_number: int) -> str:
        start.wait(PATIENCE)
        try:
            return bridge.imagine("pig").account
        except mjbridge.RateLimited:
            return "full"

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(submit, range(16)))
    assert outcomes == {"main": 3, "full": 13}
