"""One live account: a provider, a transport and a key. Every call to a vendor goes through here."""

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec

from mjbridge.commands import Cancel, Command
from mjbridge.conversation import Conversation
from mjbridge.errors import MJBridgeError, RateLimited, TaskFailed
from mjbridge.events import (
    SILENT,
    AttemptFailed,
    CooledDown,
    Event,
    Events,
    TaskUpdated,
    UnknownValue,
)
from mjbridge.limits import Limits
from mjbridge.provider import Provider
from mjbridge.task import Action, Status, Task
from mjbridge.timing import FOREVER, Deadline
from mjbridge.wire import PICTURE_LIMIT, Content, Flow, Transport

if TYPE_CHECKING:
    from mjbridge.journal import Journal

Result = TypeVar("Result")
Failure = TypeVar("Failure", bound=MJBridgeError)

_BLOT: Final = "[key]"
_LONGEST_TEXT: Final = 500
_ACTIONS: Final = frozenset({"", *Action})


class CoolOff(NamedTuple):
    """Which errors of a submit let the account cool down, and for how many seconds at first."""

    categories: tuple[type[MJBridgeError], ...] = ()
    seconds: float = 0.0


NO_COOL_OFF: Final = CoolOff()


class Account:
    """Runs a provider's flows for one account, and makes the tasks and errors that come of them the account's own."""

    def __init__(
        self,
        name: str,
        provider: Provider,
        transport: Transport,
        key: str,
        poll_interval: float,
        limits: Limits | None = None,
        *,
        events: Events = SILENT,
        journal: "Journal | None" = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.provider = provider
        self.transport = transport
        self.poll_interval = poll_interval
        self.limits = limits or Limits()
        self._key = key
        self._events = events
        self._journal = journal
        # PHP writes "/" in JSON as "\/". The longest first, for one may be a part of another.
        forms = {form for secret in {key, *secrets} if secret for form in (secret, secret.replace("/", "\\/"))}
        self._secrets = sorted(forms, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Account({self.name!r}, {self.provider.name!r})"

    def enter(self) -> object:
        """A place for one submit; `RateLimited` when `max_in_flight` leaves none. Only `submit` frees it."""
        try:
            return self.limits.in_flight.enter()
        except RateLimited as error:
            # No event: nothing was tried, and a route that waits asks twice a second.
            self.own(error, "submit")
            raise

    def submit(
        self,
        command: Command,
        deadline: Deadline = FOREVER,
        *,
        place: object | None = None,
        cool_off: CoolOff = NO_COOL_OFF,
    ) -> Task:
        """A new task. `SubmissionUnknown` when nothing proves that the vendor did not take it.

        Every submit passes here. `place` is what `enter` gave; without one it is asked for here.
        """
        if isinstance(command, Cancel):
            # It makes no task, so it needs no place: it frees one.
            told = self._run("cancel", deadline, lambda: _giving(Task, self.provider.submit(command)))
            (task,) = self._seen("cancel", [told], deadline)
            return task
        place = self.enter() if place is None else place
        conversation = self._conversation("submit", deadline)
        try:
            task = self._submit(command, conversation)
        except BaseException as error:
            self.limits.in_flight.refused(place)
            # What our own limits or the caller's time-out ended tells nothing of the vendor.
            if isinstance(error, cool_off.categories) and conversation.asked and deadline.left:
                seconds = self.limits.cool_down.begin(error, cool_off.seconds)
                category = type(error).__name__
                self._happened("submit", CooledDown, category=category, reason=error.message, seconds=seconds)
            raise
        self.limits.in_flight.accepted(place, task.id)
        if task.settled:
            self.limits.in_flight.settled(task.id)
        self.limits.cool_down.succeeded()
        return task

    def check(self, command: Command) -> None:
        """Raises what the provider has against the command before it asks anybody. Nothing is sent."""
        with self._telling("submit"):
            self._conversation("submit", FOREVER).begin(lambda: self.provider.submit(command))

    def fetch(self, task_id: str, deadline: Deadline = FOREVER) -> Task:
        """The task as the vendor has it."""
        told = self._run("fetch", deadline, lambda: _giving(Task, self.provider.fetch(task_id)))
        (task,) = self._seen("fetch", [told], deadline)
        return task

    def fetch_many(self, task_ids: Sequence[str], deadline: Deadline = FOREVER) -> list[Task]:
        """Those of the tasks that the vendor knows, in the order they were asked for."""
        by_id: dict[str, Task] = {}
        # The first of two records with one id is the task; new-api keeps the answer to a MODAL as a second row.
        for task in self._run("fetch_many", deadline, lambda: _giving_all(Task, self.provider.fetch_many(task_ids))):
            by_id.setdefault(task.id, task)
        told = (by_id[each] for each in dict.fromkeys(task_ids) if each in by_id)
        return self._seen("fetch_many", told, deadline)

    def heard(self, task: Task) -> None:
        """A task as the vendor told it by itself: it counts as if it had been asked for."""
        self._seen("callback", [task], FOREVER)

    def own(self, error: Failure, operation: str) -> Failure:
        """The error as this account's: it tells where, and shows of the vendor's words neither the key nor all."""
        error.account, error.provider = self.name, self.provider.name
        error.operation = error.operation or operation
        error.message, error.body, error.vendor_code = map(self._shown, (error.message, error.body, error.vendor_code))
        error.args = (error.message,)
        return error

    def failure(self, task: Task) -> TaskFailed:
        """The error of a task that ended, and not as it should; the task in it has the reason without the key too."""
        task = msgspec.structs.replace(task, fail_reason=task.fail_reason and self._redacted(task.fail_reason))
        reason = task.fail_reason or "the vendor gives no reason"
        return self.own(TaskFailed(f"task {task.ref} {task.status}: {reason}", task=task), "run")

    def seed(self, task_id: str, deadline: Deadline = FOREVER) -> str:
        """The seed of a finished task."""
        return self._run("seed", deadline, lambda: _giving(str, self.provider.seed(task_id)))

    def image(self, task_id: str, deadline: Deadline = FOREVER) -> bytes:
        """The task's picture through the vendor's image proxy."""
        return self._run("image", deadline, lambda: _giving(bytes, self.provider.image(task_id)))

    def probe(self, deadline: Deadline = FOREVER) -> None:
        """One free read: raises what the vendor, or the way to it, has against this account."""
        self._run("probe", deadline, self.provider.probe)

    def picture(self, url: str) -> bytes:
        """The content behind a picture's link; the key is not sent."""
        with self.open(url, PICTURE_LIMIT) as content:
            return b"".join(content.chunks)

    @contextmanager
    def open(
        self, url: str, limit: int, start: int = 0, deadline: Deadline = FOREVER
    ) -> Generator[Content, None, None]:
        """What is behind a link, as it comes (see `Transport.open`); the key is not sent."""
        timeout = None if deadline.left == math.inf else deadline.left
        with self._telling("download"), self.transport.open(url, limit, start, timeout) as content:
            yield content

    def _submit(self, command: Command, conversation: Conversation) -> Task:
        """Submit; the journal, if there is one, knows of it before it leaves, and of what became of it after."""
        known = self._journal and self._journal.submission(self.name, self.provider.name, command, self._redacted)
        if known:
            conversation.before_submit = known.intend
        try:
            with self._telling("submit"):
                task = self._mine(conversation.run(lambda: _giving(Task, self.provider.submit(command))))
        except MJBridgeError as error:
            if known:
                known.failed(error)
            raise
        if known:
            known.accepted(task)
        self._tell_of("submit", [task])
        return task

    def _run(self, operation: str, deadline: Deadline, start: Callable[[], Flow[Result]]) -> Result:
        with self._telling(operation):
            return self._conversation(operation, deadline).run(start)

    def _conversation(self, operation: str, deadline: Deadline) -> Conversation:
        happened = partial(self._happened, operation)
        return Conversation(
            self.provider,
            self.transport,
            self._key,
            self.limits,
            deadline,
            self._events,
            happened,
            buys=operation == "submit",
        )

    def _seen(self, operation: str, tasks: Iterable[Task], deadline: Deadline) -> list[Task]:
        """Tasks as the vendor has just told them, as the account's own."""
        mine = [self._mine(task) for task in tasks]
        for task in mine:
            if task.settled:
                self.limits.in_flight.settled(task.id)
        if self._journal:
            self._journal.saw(mine, deadline.left)
        self._tell_of(operation, mine)
        return mine

    def _mine(self, task: Task) -> Task:
        return msgspec.structs.replace(task, account=self.name)

    @contextmanager
    def _telling(self, operation: str) -> Generator[None, None, None]:
        """Errors inside tell where they happened, and show of what the vendor sent neither the key nor all of it."""
        try:
            yield
        except MJBridgeError as error:
            for told in (error, error.__cause__):
                if isinstance(told, MJBridgeError):
                    self.own(told, operation)
            if self._shows_key(error.__cause__):
                error.__cause__ = None
            self._happened(
                operation,
                AttemptFailed,
                category=type(error).__name__,
                reason=error.message,
                http_status=error.http_status,
                vendor_code=error.vendor_code,
                accepted=error.accepted,
            )
            raise

    def _happened(self, operation: str, kind: type[Event], **facts: Any) -> None:
        if self._events.wanted(kind):
            shown = {name: self._shown(fact) if type(fact) is str else fact for name, fact in facts.items()}
            self._events.tell(kind, account=self.name, provider=self.provider.name, operation=operation, **shown)

    def _tell_of(self, operation: str, tasks: Iterable[Task]) -> None:
        all_are_told = self._events.wanted(TaskUpdated)
        for task in tasks:
            if all_are_told:
                self._happened(operation, TaskUpdated, task_id=task.id, status=task.status, progress=task.progress)
            if task.status is Status.UNKNOWN:
                self._happened(operation, UnknownValue, task_id=task.id, field="status", value=task.vendor_status)
            if task.action not in _ACTIONS:
                self._happened(operation, UnknownValue, task_id=task.id, field="action", value=task.action)

    def _shown(self, text: str) -> str:
        # First blotted out, then cut: half a key is too much as well.
        return self._redacted(text)[:_LONGEST_TEXT]

    def _shows_key(self, cause: BaseException | None) -> bool:
        """Whether a traceback would show a key in what a plugin raised, or in what it raised that from."""
        return cause is not None and (
            self._redacted(str(cause)) != str(cause) or self._shows_key(cause.__cause__ or cause.__context__)
        )

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _BLOT)
        return text


def _giving(kind: type[Result], flow: Flow[Result]) -> Flow[Result]:
    """The flow, whose result is what a plugin says it is: where it is not, `TypeError`."""
    result = yield from flow
    if not isinstance(result, kind):
        raise TypeError(f"a flow gave {type(result).__name__} where {kind.__name__} belongs")
    return result


def _giving_all(kind: type[Result], flow: Flow[list[Result]]) -> Flow[list[Result]]:
    results: list[Result] = yield from _giving(list, flow)
    strange = {type(each).__name__ for each in results if not isinstance(each, kind)}
    if strange:
        raise TypeError(f"a flow gave {', '.join(sorted(strange))} where {kind.__name__} belongs")
    return results
