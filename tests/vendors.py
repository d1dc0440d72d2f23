"""Vendors that tell of a task by its id and the time, on a clock that only a wait moves."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from mjbridge import Bridge, HttpRequest, HttpResponse, MJBridgeError
from mjbridge.config import AccountSettings
from mjbridge.provider import Provider
from mjbridge.testing import FakeTransport
from mjbridge.testing.contract import Clock
from mjbridge.wire import Transport


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
