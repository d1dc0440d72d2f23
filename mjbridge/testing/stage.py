"""What the contract's tests are made of: a provider, its emulator, and a clock set by hand."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from mjbridge import plugins
from mjbridge.account import Account
from mjbridge.emulator import Emulator, EmulatorTransport
from mjbridge.provider import Provider
from mjbridge.task import Status, Task
from mjbridge.wire import Transport

KEY: Final = "sk-contract-key"
NOW: Final = 1_790_000_000.0
"""Epoch seconds at which the emulator of these tests begins."""
_LONGEST: Final = 60.0
"""Seconds in which each of the emulator's tasks is over ten times."""
PROMPT: Final = "a lighthouse at dusk --ar 16:9"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        """Epoch seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def settled(account: Account, clock: Clock, task: Task) -> Task:
    """The task when nothing more will happen by itself."""
    return list(story(account, clock, task))[-1]


def story(account: Account, clock: Clock, task: Task) -> Iterator[Task]:
    """The task as it was accepted, and as it is after each second until nothing more will happen by itself."""
    yield task
    end = clock() + _LONGEST
    while not task.settled:
        assert clock() < end, f"the emulator's {task} is read as one that does not settle"
        clock.sleep(1.0)
        task = account.fetch(task.id)
        yield task


class Stage:
    """Subclassed with a provider's name, and its fixtures if it has any."""

    provider: ClassVar[str]
    fixtures: ClassVar[Path | None] = None

    @pytest.fixture(autouse=True)
    def _no_sockets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("a provider opened a socket")

        monkeypatch.setattr(socket.socket, "connect", refuse)

    def _new(self, options: dict[str, Any] | None = None) -> Provider:
        return plugins.load(self.provider)(options)

    def _account(self, transport: Transport, options: dict[str, Any] | None = None) -> Account:
        return Account("contract", self._new(options), transport, KEY, 1.0)

    def _emulated(self) -> tuple[Clock, Account, Emulator]:
        clock, provider = Clock(), self._new()
        emulator = Emulator(provider, clock=clock, duration=6.0)
        transport = EmulatorTransport(emulator, sleep=clock.sleep)
        return clock, Account("contract", provider, transport, KEY, 1.0), emulator

    def _completed(self, account: Account, clock: Clock, task: Task) -> Task:
        task = settled(account, clock, task)
        assert task.status is Status.COMPLETED
        return task
