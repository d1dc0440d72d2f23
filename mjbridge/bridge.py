"""`Bridge`: what applications use."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from mjbridge import config as configuration
from mjbridge import downloads, records, requirements
from mjbridge.account import Account
from mjbridge.commands import ByButton, Command, Imagine, Press, Reroll, Upscale, Vary, check_task_id
from mjbridge.config import DEFAULT_ROUTE, AccountSettings, Config
from mjbridge.errors import (
    ConfigError,
    InvalidCommand,
    MalformedReply,
    PluginError,
    RateLimited,
    TaskFailed,
    Unavailable,
    WaitTimeout,
)
from mjbridge.provider import Provider
from mjbridge.task import Status, Task
from mjbridge.wire import Transport

_log = logging.getLogger("mjbridge")

EMULATED_POLL_INTERVAL: Final = 0.2
_PATIENCE: Final = 5
"""Failed polls in a row before a wait gives up."""


class Bridge:
    """Midjourney through whichever account the configuration names.

    `config` is a mapping, a TOML file's path or a `Config`; None looks in the usual places (see `mjbridge.config`).
    One bridge serves many threads. `clock` and `sleep` are for tests.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | str | Path | Config | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        transport: Callable[[Provider, AccountSettings], Transport] | None = None,
    ) -> None:
        self.config = configuration.load(config)
        self._clock = clock
        self._sleep = sleep
        self._new_transport = transport or _transport
        self._accounts: dict[str, Account] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the connections."""
        with self._lock:
            accounts = list(self._accounts.values())
        for account in accounts:
            account.transport.close()

    def account(self, name: str) -> Account:
        """A live account by its name; made at first use. `ConfigError` if it cannot be used."""
        with self._lock:
            if name not in self._accounts:
                self._accounts[name] = self._open(name)
            return self._accounts[name]

    # New tasks.

    def submit(self, command: Command, route: str = DEFAULT_ROUTE) -> Task:
        """A new task of the route's (or account's) first account."""
        return self.account(self.config.route(route)[0]).submit(command)

    def run(
        self,
        command: Command,
        route: str = DEFAULT_ROUTE,
        *,
        timeout: float = 600,
        on_update: Callable[[Task], object] | None = None,
    ) -> Task:
        """Submit, wait, and raise `TaskFailed` unless the task completed or needs input."""
        task = self.wait(self.submit(command, route), timeout, on_update)
        if task.status in (Status.FAILED, Status.CANCELLED):
            raise TaskFailed(
                f"task {task.ref} {task.status}: {task.fail_reason or 'the vendor gives no reason'}", task=task
            )
        return task

    def imagine(
        self,
        prompt: str,
        *,
        route: str = DEFAULT_ROUTE,
        bot: str | None = None,
        speed: str | None = None,
        state: str | None = None,
        extra: Mapping[str, Any] = {},
    ) -> Task:
        """A new grid from a prompt: `submit(Imagine(prompt=...))`."""
        return self.submit(Imagine(prompt=prompt, bot=bot, speed=speed, state=state, extra=dict(extra)), route)

    # Follow-ups go to the account that has the task.

    def press(self, task: Task | str, button: str) -> Task:
        """Press a button: its custom id, or, where the task's buttons are known, its label, emoji or kind."""
        account, task_id = self._owner(task)
        if "::" in button:
            return account.submit(Press(task_id=task_id, custom_id=button))
        known = task if isinstance(task, Task) and task.buttons else account.fetch(task_id)
        found = known.button(button)
        if found is None:
            labels = ", ".join(each.label or each.emoji or each.kind for each in known.buttons) or "none"
            raise InvalidCommand(f"task {known.ref} ({known.status}) has no button {button!r}; its buttons: {labels}")
        return account.submit(Press(task_id=task_id, custom_id=found.custom_id))

    def upscale(self, task: Task | str, index: int) -> Task:
        """One picture of a grid, 1-4."""
        return self._follow_up(task, lambda task_id: Upscale(task_id=task_id, index=index))

    def vary(self, task: Task | str, index: int) -> Task:
        """A new grid of variations of one picture of a grid, 1-4."""
        return self._follow_up(task, lambda task_id: Vary(task_id=task_id, index=index))

    def reroll(self, task: Task | str) -> Task:
        """A new grid from the same prompt."""
        return self._follow_up(task, lambda task_id: Reroll(task_id=task_id))

    # Reads.

    def fetch(self, task: Task | str) -> Task:
        """A task as it stands, by its ref or an earlier state, from which is kept what the vendor no longer says."""
        account, task_id = self._owner(task)
        found = account.fetch(task_id)
        return records.carry(task, found) if isinstance(task, Task) and not task.done else found

    def fetch_many(self, tasks: Iterable[Task | str]) -> list[Task]:
        """Many tasks in as few requests as their accounts allow; those that a vendor no longer knows are left out."""
        wanted: dict[str, list[str]] = {}
        for task in tasks:
            account, task_id = self._owner(task)
            wanted.setdefault(account.name, []).append(task_id)
        return [task for name, task_ids in wanted.items() for task in self.account(name).fetch_many(task_ids)]

    def seed(self, task: Task | str) -> str:
        """The seed of a finished task."""
        account, task_id = self._owner(task)
        return account.seed(task_id)

    def image(self, task: Task | str) -> bytes:
        """The task's picture through the vendor's own image proxy, for when its address cannot be reached."""
        account, task_id = self._owner(task)
        content = account.image(task_id)
        downloads.suffix(content, f"task {task_id}")
        return content

    def wait(self, task: Task | str, timeout: float = 600, on_update: Callable[[Task], object] | None = None) -> Task:
        """Poll until the task is settled, for at most `timeout` seconds; `on_update` is called with each change.

        Raises `WaitTimeout` with the last state. A poll that fails in passing is tried again a few times.
        """
        deadline = self._clock() + _seconds(timeout)
        interval = self._owner(task)[0].poll_interval
        last = task if isinstance(task, Task) else None
        failures = 0
        while last is None or not last.done:
            pause = interval
            try:
                now, failures = self.fetch(last or task), 0
            except (Unavailable, RateLimited, MalformedReply) as error:
                failures += 1
                if failures >= _PATIENCE:
                    raise
                _log.warning("a poll of %s failed: %s", _ref(task), error)
                pause = max(interval, error.retry_after or 0)
            else:
                if on_update and now != last:
                    on_update(now)
                last = now
                if now.settled:
                    return now
            if self._clock() + pause > deadline:
                raise WaitTimeout(f"task {_ref(task)} has not settled in {timeout:g} s", task=last)
            self._sleep(pause)
        return last

    def download(self, task: Task, folder: str | Path) -> list[Path]:
        """Save a completed task's pictures, its grid or single image first, under names made of the task's id."""
        account, _ = self._owner(task)
        return downloads.save(task, Path(folder), account.picture)

    def _follow_up(self, task: Task | str, command: Callable[[str], ByButton]) -> Task:
        account, task_id = self._owner(task)
        asked = command(task_id)
        # Who has the buttons at hand need not ask the vendor for them again.
        if isinstance(task, Task) and task.buttons and account.provider.presses(asked):
            return account.submit(asked.press(task))
        return account.submit(asked)

    def _owner(self, task: Task | str) -> tuple[Account, str]:
        name, _, task_id = _ref(task).partition(":")
        if not name or not task_id:
            raise InvalidCommand(f"{_ref(task)!r} is not a ref: write it as account:id")
        check_task_id(task_id)
        return self.account(name), task_id

    def _open(self, name: str) -> Account:
        settings = self.config.account(name)
        try:
            provider = requirements.provider(settings)
            key = requirements.key(settings, type(provider), name)
            settings = msgspec.structs.replace(settings, base_url=requirements.base_url(settings, type(provider)))
        except (ConfigError, PluginError) as error:
            error.account = name
            raise
        for unheeded in ("max_rate", "max_in_flight"):
            if getattr(settings, unheeded) is not None:
                _log.warning("account %s: %s is not enforced yet", name, unheeded)
        advised = EMULATED_POLL_INTERVAL if settings.emulated else provider.poll_interval
        interval = advised if settings.poll_interval is None else settings.poll_interval
        return Account(name, provider, self._new_transport(provider, settings), key, interval)


def _seconds(timeout: float) -> float:
    # NaN compares with nothing, so a deadline made of it would never come.
    if not timeout >= 0:
        raise InvalidCommand(f"a wait of {timeout} seconds is none")
    return timeout


def _ref(task: object) -> str:
    ref = task.ref if isinstance(task, Task) else task
    if not isinstance(ref, str):
        raise InvalidCommand(f"{ref!r} is neither a task nor a ref")
    return ref


def _transport(provider: Provider, settings: AccountSettings) -> Transport:
    if settings.emulated:
        from mjbridge.emulator import open_emulator  # noqa: PLC0415 only who rehearses needs the emulator

        return open_emulator(provider, settings.base_url or "", read_timeout=settings.read_timeout)
    from mjbridge.transport import RequestsTransport  # noqa: PLC0415 importing mjbridge must not import requests

    return RequestsTransport(
        settings.base_url or "",
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        proxy=settings.proxy,
        headers=settings.headers,
        verify=settings.verify,
    )
