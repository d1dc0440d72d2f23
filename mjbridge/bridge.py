"""`Bridge`: what applications use."""

import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import msgspec

from mjbridge import callbacks, downloads, keys, pictures, records, requirements, waiting
from mjbridge import config as configuration
from mjbridge.account import Account
from mjbridge.commands import Cancel, Command, FollowUp, Press, check_command, check_ref, check_text
from mjbridge.config import DEFAULT_ROUTE, AccountSettings, Config
from mjbridge.errors import ConfigError, InvalidCommand, MJBridgeError, PluginError
from mjbridge.events import Events, Listener
from mjbridge.limits import Limits
from mjbridge.provider import Level, Provider
from mjbridge.retries import retried
from mjbridge.routing import Route
from mjbridge.task import Button, Status, Task
from mjbridge.timing import DEFAULT_TIMEOUT, Deadline, Timing
from mjbridge.vocabulary import Vocabulary
from mjbridge.waiting import Group, Unsettled, Watch
from mjbridge.wire import Transport

if TYPE_CHECKING:
    from mjbridge.journal import Journal

Result = TypeVar("Result")
Item = TypeVar("Item")

EMULATED_POLL_INTERVAL: Final = 0.2


class Bridge(Vocabulary):
    """Midjourney through whichever account the configuration names.

    `config` is a mapping, a TOML file's path or a `Config`; None looks in the usual places (see `mjbridge.config`).
    One bridge serves many threads. Every call that asks a vendor takes `timeout`, in seconds, which bounds all of it:
    waiting for a turn, every try, every account. `on_event` hears what happens (see `mjbridge.events`); `journal` is a
    path, an SQL URL or a `Journal` for the configured one's place. `clock` (monotonic), `sleep`, `chance` and `now`
    (epoch seconds) are for tests.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | str | Path | Config | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
        transport: Callable[[Provider, AccountSettings], Transport] | None = None,
        on_event: Listener | None = None,
        journal: "Journal | str | Path | None" = None,
    ) -> None:
        self.config = configuration.load(config)
        self.journal = requirements.journal(self.config.journal if journal is None else journal)
        self._events = Events(on_event, now=now, clock=clock)
        self._timing = Timing(clock, sleep, chance)
        self._new_transport = transport or _transport
        self._accounts: dict[str, Account] = {}
        self._opening = {name: threading.Lock() for name in self.config.accounts}
        self.inbox = callbacks.Inbox()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the connections."""
        for account in list(self._accounts.values()):
            account.transport.close()
        if self.journal:
            self.journal.close()

    def account(self, name: str) -> Account:
        """A live account by its name; made at first use. `ConfigError` if it cannot be used."""
        settings = self.config.account(name)
        # One lock an account: a key that is long in coming keeps no other account waiting.
        with self._opening[name]:
            if name not in self._accounts:
                self._accounts[name] = self._open(name, settings)
            return self._accounts[name]

    # New tasks.

    def submit(self, command: Command, route: str = DEFAULT_ROUTE, *, timeout: float = DEFAULT_TIMEOUT) -> Task:
        """A new task of the first of the route's accounts that takes it, or of the account of that name.

        A follow-up names the account that has its task: `InvalidCommand` for a route of several.
        `AllAccountsFailed` when none of a route does. `SubmissionUnknown` is never followed by another try.
        """
        deadline = self._timing.deadline(timeout)
        named = self._route(command, route)
        return named.submit(command, deadline) if named else self._first(route).submit(command, deadline)

    def run(
        self,
        command: Command,
        route: str = DEFAULT_ROUTE,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        on_update: Callable[[Task], object] | None = None,
    ) -> Task:
        """Submit, wait, and raise `TaskFailed` unless the task completed or needs input, or was to be cancelled.

        Once a task was accepted, whatever ends the wait for it is a `WaitTimeout` that carries the task.
        """
        deadline = self._timing.deadline(timeout)
        named = self._route(command, route)

        def wait(task: Task) -> Task:
            with waiting.accepted(task):
                return self._wait(task, deadline, on_update)

        task = named.run(command, deadline, wait) if named else wait(self._first(route).submit(command, deadline))
        if task.status is Status.FAILED or (task.status is Status.CANCELLED and not isinstance(command, Cancel)):
            raise self.account(task.account).failure(task)
        return task

    # Follow-ups go to the account that has the task.

    def press(self, task: Task | str, button: Button | str, *, timeout: float = DEFAULT_TIMEOUT) -> Task:
        """Press a button: one of the task's `buttons`, or its custom id, label, emoji or kind."""
        account, task_id = self._owner(task)
        deadline = self._timing.deadline(timeout)
        if not isinstance(button, Button):
            button = self._button(account, task, task_id, button, deadline)
        return account.submit(Press(task_id=task_id, custom_id=button.custom_id), deadline)

    # Reads. One that fails in passing is tried again.

    def fetch(self, task: Task | str, *, timeout: float = DEFAULT_TIMEOUT) -> Task:
        """A task as it stands, by its ref or an earlier state, from which is kept what the vendor no longer says."""
        account, task_id = self._owner(task)
        return _carried(task, self._fetch(account, task_id, self._timing.deadline(timeout)))

    def fetch_many(self, tasks: Iterable[Task | str], *, timeout: float = DEFAULT_TIMEOUT) -> list[Task]:
        """Many tasks in as few requests as their accounts allow, each as `fetch` gives it.

        Those that a vendor no longer knows are left out.
        """
        deadline = self._timing.deadline(timeout)
        return [
            _carried(known[task.id], task)
            for account, known in self._by_account(tasks).items()
            for batch in _batched(list(known), account.provider.batch_size)
            for task in self._read(partial(account.fetch_many, batch), deadline)
        ]

    def seed(self, task: Task | str, *, timeout: float = DEFAULT_TIMEOUT) -> str:
        """The seed of a finished task."""
        account, task_id = self._owner(task)
        return self._read(partial(account.seed, task_id), self._timing.deadline(timeout))

    def image(self, task: Task | str, *, timeout: float = DEFAULT_TIMEOUT) -> bytes:
        """The task's picture through the vendor's own image proxy, for when its address cannot be reached."""
        account, task_id = self._owner(task)
        content = self._read(partial(account.image, task_id), self._timing.deadline(timeout))
        pictures.ending(content, f"task {task_id}")
        return content

    def wait(
        self,
        task: Task | str,
        timeout: float = DEFAULT_TIMEOUT,
        on_update: Callable[[Task], object] | None = None,
    ) -> Task:
        """Poll until the task is settled, for at most `timeout` seconds; `on_update` is called with each change.

        Raises `WaitTimeout` with the last state: the task goes on, and can be waited for again by its ref, from
        anywhere. A poll that fails in passing is tried again a few times.
        """
        return self._wait(task, self._timing.deadline(timeout), on_update)

    def wait_many(
        self,
        tasks: Iterable[Task | str],
        timeout: float = DEFAULT_TIMEOUT,
        on_update: Callable[[Task], object] | None = None,
    ) -> Iterator[Task | Unsettled]:
        """Each task once, as it settles. An account's tasks are polled together, a batch a request.

        A task that does not settle comes as an `Unsettled`, which tells why: the time is over, the vendor no longer
        knows it or refuses to tell, or its account cannot be used. One account's trouble does not stop the others.
        """
        deadline = self._timing.deadline(timeout)
        over: dict[str, Task | Unsettled] = {}
        groups: dict[str, Group] = {}
        for task in _several(tasks):
            if isinstance(task, Task) and task.done:
                over[task.ref] = task
                continue
            try:
                account, task_id = self._owner(task)
            except (ConfigError, PluginError) as error:
                over[_ref(task)] = Unsettled(_ref(task), error, task if isinstance(task, Task) else None)
                continue
            group = groups.setdefault(account.name, Group(account, self._timing.clock))
            group.watches.setdefault(task_id, self._watch(task))
        return chain(over.values(), waiting.wait_many(groups.values(), deadline, self._timing, on_update))

    def download(
        self,
        task: Task | str,
        folder: str | Path,
        *,
        singles: bool = False,
        timeout: float = math.inf,
        on_progress: Callable[[downloads.Progress], object] | None = None,
    ) -> list[Path]:
        """Save a completed task's pictures and clips, its grid or single picture first, under names made of its id.

        `singles` cuts a grid (extra `pictures`) whose single pictures the vendor does not give. What is there already
        is not fetched again, and what broke off, at `timeout` too, goes on where the server can; without one a file may
        take as long as it comes. `on_progress` is called with each step, by one thread at a time.
        """
        account, task_id = self._owner(task)
        deadline = self._timing.deadline(timeout)
        finished = task if isinstance(task, Task) else self._fetch(account, task_id, deadline)
        return downloads.save(finished, Path(folder), account, deadline, singles=singles, on_progress=on_progress)

    def receive(self, body: bytes | str, account: str, known: callbacks.Known | None = None) -> Task | None:
        """The task that an account's vendor tells of in a callback, folded into what is known of it; None if no news.

        `known` is any mapping from refs to tasks; without it the bridge remembers the last tasks it received. Raises
        `MalformedRecord` for what is no record of one task. A server for callbacks: `mjbridge.callbacks`.
        """
        news = self.inbox.receive(body, self.account(account), known)
        return news.task if news else None

    def _route(self, command: Command, name: str) -> Route | None:
        """The route that may choose the account, None where there is nothing to choose."""
        check_command(command)
        settings = self.config.routes.get(name)
        if settings is None:
            return None
        if isinstance(command, FollowUp):
            # It can go nowhere but to the account that has its task: a guess could press another task of that id.
            if len(settings.accounts) > 1:
                raise InvalidCommand(
                    f"{type(command).__name__} is for a task of one account, and route {name} has several: "
                    f"name the account that has the task, as in route={settings.accounts[0]!r}"
                )
            return None
        return Route(name, settings, self.account, self._timing, self._events)

    def _first(self, route: str) -> Account:
        return self.account(self.config.route(route)[0])

    def _takes_at_once(self, task: Task | str, kind: type[Command]) -> bool:
        """Whether the task's vendor has a request of its own for that command."""
        return self._owner(task)[0].provider.support(kind).level is not Level.EMULATED

    def _follow_up(self, task: Task | str, command: Callable[[str], FollowUp], timeout: float) -> Task:
        account, task_id = self._owner(task)
        asked = command(task_id)
        deadline = self._timing.deadline(timeout)
        # Who has the buttons at hand need not ask the vendor for them again.
        if isinstance(task, Task) and task.buttons:
            try:
                asked = asked.press(task) if account.provider.presses(asked) else asked
            except MJBridgeError as error:
                account.own(error, "submit")
                raise
        return account.submit(asked, deadline)

    def _button(self, account: Account, task: Task | str, task_id: str, name: str, deadline: Deadline) -> Button:
        """The task's button of that custom id, label, emoji or kind."""
        if "::" in check_text("button", name):
            return Button(name)
        known = task if isinstance(task, Task) and task.buttons else self._fetch(account, task_id, deadline)
        found = known.button(name)
        if found is None:
            labels = ", ".join(each.label or each.emoji or each.kind for each in known.buttons) or "none"
            fault = f"task {known.ref} ({known.status}) has no button {name!r}; its buttons: {labels}"
            raise account.own(InvalidCommand(fault), "submit")
        return found

    def _checked(self, task: Task | str, command: Callable[[str], FollowUp]) -> FollowUp:
        """The command, unless its account would refuse it unasked."""
        account, task_id = self._owner(task)
        checked = command(task_id)
        account.check(checked)
        return checked

    def _read(self, read: Callable[[Deadline], Result], deadline: Deadline) -> Result:
        return retried(lambda: read(deadline), deadline, self._timing)

    def _fetch(self, account: Account, task_id: str, deadline: Deadline) -> Task:
        return self._read(partial(account.fetch, task_id), deadline)

    def _wait(self, task: Task | str, deadline: Deadline, on_update: Callable[[Task], object] | None) -> Task:
        if isinstance(task, Task) and task.done:
            return task
        account, task_id = self._owner(task)
        return waiting.wait(account, self._watch(task), task_id, deadline, self._timing, on_update)

    def _watch(self, task: Task | str) -> Watch:
        return Watch(_ref(task), task if isinstance(task, Task) else None, self._timing.clock)

    def _by_account(self, tasks: Iterable[Task | str]) -> dict[Account, dict[str, Task | str]]:
        """The tasks by their ids, as they were given."""
        wanted: dict[Account, dict[str, Task | str]] = {}
        for task in _several(tasks):
            account, task_id = self._owner(task)
            wanted.setdefault(account, {})[task_id] = task
        return wanted

    def _owner(self, task: Task | str) -> tuple[Account, str]:
        name, task_id = check_ref(_ref(task))
        return self.account(name), task_id

    def _open(self, name: str, settings: AccountSettings) -> Account:
        try:
            provider = requirements.provider(settings)
            key = requirements.key(settings, type(provider), name)
            requirements.proxy(settings)
            settings = msgspec.structs.replace(settings, base_url=requirements.base_url(settings, type(provider)))
        except (ConfigError, PluginError) as error:
            error.account = name
            raise
        advised = EMULATED_POLL_INTERVAL if settings.emulated else provider.poll_interval
        interval = advised if settings.poll_interval is None else settings.poll_interval
        limits = Limits(max_rate=settings.max_rate, max_in_flight=settings.max_in_flight, timing=self._timing)
        transport = self._new_transport(provider, settings)
        return Account(
            name,
            provider,
            transport,
            key,
            interval,
            limits,
            events=self._events,
            journal=self.journal,
            secrets=keys.in_headers(settings.headers) | keys.in_addresses(settings.base_url, settings.proxy),
        )


def _batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _several(tasks: Iterable[Task | str]) -> Iterable[Task | str]:
    """Each of many tasks once; by its last state, where one was given beside its ref."""
    # A ref is iterable as well, letter by letter.
    if isinstance(tasks, str | Task):
        raise InvalidCommand(f"{_ref(tasks)!r} is one task, and many are asked for: put it in a list")
    known: dict[str, Task | str] = {}
    for task in tasks:
        ref = task.ref if isinstance(task, Task) else _ref(task)
        if isinstance(task, Task) or ref not in known:
            known[ref] = task
    return known.values()


def _carried(known: Task | str, found: Task) -> Task:
    """A task as it was just found, with what the vendor no longer says from an earlier state."""
    return records.carry(known, found) if isinstance(known, Task) and not known.done else found


def _ref(task: object) -> str:
    if isinstance(task, Task) and not task.account:
        raise InvalidCommand(f"task {task.id} does not say which account has it: give its ref, written as account:id")
    ref = task.ref if isinstance(task, Task) else task
    if not isinstance(ref, str):
        raise InvalidCommand(f"{ref!r} is neither a task nor a ref")
    return ref


def _transport(provider: Provider, settings: AccountSettings) -> Transport:
    if settings.emulated:
        from mjbridge.emulator import open_emulator  # noqa: PLC0415 only emulated accounts need it: `import mjbridge` has a budget of modules

        return open_emulator(provider, settings.base_url or "", read_timeout=settings.read_timeout)
    from mjbridge.transport import RequestsTransport  # noqa: PLC0415 it loads requests, for which who only reads records should not wait

    return RequestsTransport(
        settings.base_url or "",
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        proxy=settings.proxy,
        headers=settings.headers,
        verify=settings.verify,
    )
