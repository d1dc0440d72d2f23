"""What a bridge costs: requests for tasks that are waited for together, and time beside a bare `requests` call."""

import multiprocessing
import socketserver
import time
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec
import requests

from benchmarks import samples
from benchmarks.report import Claim, Cost, Report
from mjbridge import Bridge, HttpRequest, HttpResponse
from mjbridge.testing import FakeTransport

TASKS: Final = 10_000
FETCHES: Final = 1_000
ACCOUNTS: Final = ("one", "two", "three")
_MINUTE: Final = 60.0
_POLL: Final = 5.0
_BARE: Final = "requests.Session.get(...).json()"
_FETCH: Final = "bridge.fetch"


def measure(records: int, rounds: int) -> Report:
    """So many tasks (10,000 at most) in flight, and the least time of a fetch in some rounds that take turns."""
    tasks = min(records, TASKS)
    sent, kilobytes = _wait_for(tasks)
    costs = _fetches(min(records, FETCHES), rounds)
    about = (
        f"{tasks} tasks on {len(ACCOUNTS)} accounts that settle within a minute; fetches over HTTP, best of {rounds}"
    )
    return Report(
        about,
        [
            Cost("requests sent", sent / tasks, "a task"),
            Cost("memory of a wait, at its peak", kilobytes / tasks, "kB a task"),
            *(Cost(name, 1e6 * seconds, "us a call") for name, seconds in costs.items()),
        ],
        [Claim(f"{_FETCH} over {_BARE}", costs[_FETCH] / costs[_BARE], "at most", 1.1)],
    )


class _Clock:
    """Seconds that pass only while somebody sleeps."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class _Vendor(FakeTransport):
    """Lists tasks; the id of each is the hundredth of a second at which it is done."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self.sent = 0
        self._clock = clock

    def send(self, request: HttpRequest) -> HttpResponse:
        self.sent += 1
        now = 100 * self._clock.now
        told = [
            {"id": task_id, "action": "IMAGINE", "status": "SUCCESS" if now >= int(task_id) else "IN_PROGRESS"}
            for task_id in request.json["ids"]
        ]
        return HttpResponse(200, msgspec.json.encode(told))


def _wait_for(tasks: int) -> tuple[int, float]:
    """The requests that were sent, and the peak of memory in kB, the tasks' refs not counted."""
    clock = _Clock()
    vendors = {name: _Vendor(clock) for name in ACCOUNTS}
    accounts = {
        name: {"provider": "mjproxy", "base_url": f"http://{name}", "poll_interval": _POLL} for name in ACCOUNTS
    }
    bridge = Bridge(
        {"accounts": accounts},
        clock=clock,
        sleep=clock.sleep,
        transport=lambda _provider, settings: vendors[(settings.base_url or "").removeprefix("http://")],
    )
    step = 100 * _MINUTE * len(ACCOUNTS) / tasks
    refs = [f"{name}:{int(number * step)}" for number in range(tasks // len(ACCOUNTS)) for name in ACCOUNTS]
    tracemalloc.start()
    settled = sum(1 for _ in bridge.wait_many(refs))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if settled != len(set(refs)):
        raise AssertionError(f"{settled} of {len(refs)} tasks settled")
    return sum(vendor.sent for vendor in vendors.values()), peak / 1000


def _fetches(number: int, rounds: int) -> dict[str, float]:
    """Seconds of this process a call, the least of the rounds: what the vendor takes is not counted."""
    with _server() as url, requests.Session() as session, Bridge(_config(url)) as bridge:
        calls: dict[str, Callable[[], Any]] = {
            _BARE: lambda: session.get(f"{url}/mj/task/1/fetch", headers=_HEADERS, timeout=60).json(),
            _FETCH: lambda: bridge.fetch("main:1"),
        }
        taken = [{name: _seconds(call, number) for name, call in calls.items()} for _ in range(rounds)]
        return {name: min(each[name] for each in taken) for name in calls}


_HEADERS: Final = {"Authorization": "Bearer sk-benchmark", "Accept": "application/json"}


def _config(url: str) -> dict[str, Any]:
    return {"accounts": {"main": {"provider": "mjproxy", "base_url": url, "api_key": "sk-benchmark"}}}


def _seconds(call: Callable[[], object], number: int) -> float:
    started = time.process_time()
    for _ in range(number):
        call()
    return (time.process_time() - started) / number


@contextmanager
def _server() -> Generator[str, None, None]:
    """A vendor in a process of its own; gives its address."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(there: Connection) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Answers) as server:
        there.send(server.server_address[1])
        server.serve_forever()


class _Answers(socketserver.StreamRequestHandler):
    """One record of the samples to every request, as fast as Python can."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        record = next(islice(samples.records(1), 1))
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(record)}\r\n\r\n"
        answer = head.encode() + record
        for line in self.rfile:
            if not line.strip():
                self.wfile.write(answer)
