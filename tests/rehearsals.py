"""Bridges with one account, on a clock set by hand: it is emulated, or answers from a script."""

import json
from collections.abc import Sequence
from typing import Any

from mjbridge import (
    Bridge,
    HttpResponse,
    MJBridgeError,
)
from mjbridge.config import AccountSettings
from mjbridge.emulator import Emulator, EmulatorTransport
from mjbridge.provider import Provider
from mjbridge.testing import FakeTransport
from mjbridge.testing.stage import Clock
from mjbridge.wire import Transport


class Rehearsal:
    """A bridge over one emulated account, on a clock that its sleeps move."""

    def __init__(self, provider: str, duration: float = 6.0) -> None:
        self.clock = Clock()
        self.emulators: list[Emulator] = []
        self.duration = duration
        self.bridge = Bridge(
            {"accounts": {"main": {"provider": provider, "base_url": "emulator:", "poll_interval": 1}}},
            clock=self.clock,
            sleep=self.clock.sleep,
            transport=self._transport,
        )

    def _transport(self, provider: Provider, settings: AccountSettings) -> Transport:
        assert settings.emulated
        self.emulators.append(Emulator(provider, clock=self.clock, duration=self.duration))
        return EmulatorTransport(self.emulators[-1], sleep=self.clock.sleep)


def scripted(replies: Sequence[HttpResponse | MJBridgeError], **account: Any) -> tuple[Bridge, FakeTransport, Clock]:
    """A bridge whose one account answers from a script."""
    clock, transport = Clock(), FakeTransport(replies)
    settings = {"provider": "mjproxy", "base_url": "http://mj.example", "api_key": "sk-secret", "poll_interval": 1}
    bridge = Bridge(
        {"accounts": {"main": settings | account}},
        clock=clock,
        sleep=clock.sleep,
        transport=lambda _provider, _settings: transport,
    )
    return bridge, transport, clock


def record(**fields: object) -> HttpResponse:
    return HttpResponse(200, json.dumps({"id": "1", "action": "IMAGINE", "imageUrl": ""} | fields).encode())
