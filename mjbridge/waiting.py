"""Waiting: tasks are polled until they settle, at the pace their vendor advises, and slower while nothing changes."""

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

import msgspec

from mjbridge import records
from mjbridge.account import Account
from mjbridge.errors import MJBridgeError, TaskNotFound, WaitTimeout
from mjbridge.printing import printable
from mjbridge.retries import TRANSIENT
from mjbridge.task import Action, Status, Task
from mjbridge.timing import Deadline, Timing

_log = logging.getLogger("mjbridge")

OnUpdate: TypeAlias = Callable[[Task], object] | None

_PATIENCE: Final = 5
"""Failed polls in a row before the wait for one task gives up."""
_GROWTH: Final = 1.2
_SLOWEST: Final = 5.0
"""Times the advised interval that a pace grows to, unless that is more than..."""
_LONGEST_PAUSE: Final = 30.0
_SHORTEST_REST: Final = 0.5
"""Seconds after a failed poll, at least: an interval of 0 is no leave to hammer a vendor that is down."""
_QUIET: Final = 300.0
"""Seconds without a change after which a task is reported."""
_STALLED: Final = 3600.0
"""Seconds without a change after which polling ends: by then every vendor has given its task up."""
_MISSES: Final = 2
"""Polls in a row that do not know a task before it is taken for lost: the first may be a moment early."""


class Unsettled(msgspec.Struct, frozen=True):
    """A task that `wait_many` gave up, with its last state if one was seen.

    `error` is a `WaitTimeout`, a `TaskNotFound`, what the vendor answered instead of the task, or why its account
    cannot be used.
    """

    ref: str
    error: MJBridgeError
    task: Task | None = None


class Pace:
    """Seconds between two polls: what is advised, a fifth more after each poll without a change, up to a cap."""

    def __init__(self, advised: float) -> None:
        self._advised = advised
        self._slowest = max(advised, min(_SLOWEST * advised, _LONGEST_PAUSE))
        self._seconds = advised

    def after(self, *, changed: bool) -> None:
        """Go on from a poll."""
        self._seconds = self._advised if changed else min(self._seconds * _GROWTH, self._slowest)

    def pause(self, left: float) -> float:
        """Seconds until the next poll; as advised where the grown pace would sleep the last chance away."""
        return self._seconds if self._seconds <= left else self._advised

    def pause_after_failure(self, error: MJBridgeError, failures: int) -> float:
        """Seconds until the next poll after so many failures in a row; doubled from the second on."""
        first = max(self._seconds, _SHORTEST_REST)
        grown = min(first * 2.0 ** min(max(0, failures - 2), 10), max(first, _LONGEST_PAUSE))
        return max(grown, error.retry_after or 0.0)


class Watch:
    """One task that is waited for: its last state, and since when it has not changed."""

    def __init__(self, ref: str, task: Task | None, clock: Callable[[], float]) -> None:
        self.ref = ref
        self.task = task
        self._misses = 0
        self._clock = clock
        self._since = clock()
        self._reported = False
        # new-api goes on showing the question for a while after it was answered.
        self._answered = task is not None and task.action == Action.MODAL and not task.settled

    def see(self, found: Task, on_update: OnUpdate) -> bool:
        """Take a poll's answer; whether it changed anything. What the vendor no longer says is kept."""
        now = records.carry(self.task, found) if self.task else found
        changed, self.task, self._misses = now != self.task, now, 0
        if changed:
            self._since, self._reported = self._clock(), False
        # A task that keeps still is told once more.
        quiet = not self._reported and self._still > _QUIET
        if quiet:
            self._reported = True
            _log.warning("task %s has been %s", self.ref, printable(self._stillness))
        if on_update and (changed or quiet):
            on_update(now)
        return changed

    def miss(self) -> bool:
        """Take a poll that did not know the task; whether that is to be believed."""
        self._misses += 1
        return self._misses >= _MISSES

    @property
    def settled(self) -> Task | None:
        """The task, once there is nothing more to wait for."""
        task = self.task
        if task is None or (self._answered and task.status is Status.NEEDS_INPUT):
            return None
        return task if task.settled else None

    @property
    def stalled(self) -> bool:
        """Whether polling further is pointless: no change for an hour, or for minutes in a state nobody knows."""
        unknown = self.task is not None and self.task.status is Status.UNKNOWN
        return self._still > (_QUIET if unknown else _STALLED)

    def timeout(self) -> WaitTimeout:
        """The error of a wait that ends here."""
        why = f"has not settled in time: it has been {self._stillness}" if self.task else "was not seen in time"
        return WaitTimeout(f"task {self.ref} {why}", task=self.task)

    @property
    def _still(self) -> float:
        return self._clock() - self._since

    @property
    def _stillness(self) -> str:
        if self.task is None:
            return "unseen"
        progress = "" if self.task.progress is None else f" at {self.task.progress}%"
        return f"{self.task.status} ({self.task.vendor_status or 'no status'}){progress} for {self._still:.0f} s"


def wait(account: Account, watch: Watch, task_id: str, deadline: Deadline, timing: Timing, on_update: OnUpdate) -> Task:
    """The task, settled. `WaitTimeout` at the deadline, or when it stalls; a failed poll is tried again a few times."""
    pace, failures = Pace(account.poll_interval), 0
    while True:
        try:
            changed = _polled(account, watch, task_id, deadline, on_update)
        except TRANSIENT as error:
            failures += 1
            if failures >= _PATIENCE:
                raise
            _log.warning("a poll of %s failed: %s", watch.ref, error)
            pause = pace.pause_after_failure(error, failures)
        else:
            if settled := watch.settled:
                return settled
            failures = 0
            pace.after(changed=changed)
            pause = pace.pause(deadline.left)
        if pause > deadline.left or watch.stalled:
            raise account.own(watch.timeout(), "wait")
        timing.sleep(pause)


def _polled(account: Account, watch: Watch, task_id: str, deadline: Deadline, on_update: OnUpdate) -> bool:
    """One look at the task; whether it changed anything."""
    try:
        return watch.see(account.fetch(task_id, deadline), on_update)
    except TaskNotFound:
        if watch.miss():
            raise
        return False


@contextmanager
def accepted(task: Task) -> Generator[None, None, None]:
    """Makes whatever ends the wait for an accepted task a `WaitTimeout` that carries it.

    A poll's own error would read as if the submit had been refused, and the task is paid for.
    """
    try:
        with named(task):
            yield
    except WaitTimeout:
        raise
    except MJBridgeError as error:
        lost = WaitTimeout(f"task {task.ref} was accepted, and cannot be asked for: {error.message}", task=task)
        lost.account, lost.provider, lost.operation = error.account, error.provider, error.operation
        raise lost from error


@contextmanager
def named(task: Task) -> Generator[None, None, None]:
    """Logs the accepted task where what ends it has no place for one, as Ctrl-C has not."""
    try:
        yield
    except MJBridgeError:
        raise
    except BaseException as error:
        _log.warning("task %s was accepted, and %s came between", printable(task.ref), type(error).__name__)
        raise


class Group:
    """The tasks of one account that are waited for together, asked for batch by batch, round by round."""

    def __init__(self, account: Account, clock: Callable[[], float]) -> None:
        self.account = account
        self.watches: dict[str, Watch] = {}
        self.due = clock()
        self._clock = clock
        self._pace = Pace(account.poll_interval)
        self._failures = 0
        self._round: deque[str] = deque()
        self._changed = False

    def poll(self, deadline: Deadline, share: Deadline, on_update: OnUpdate) -> Iterator[Task | Unsettled]:
        """Ask for the next batch within `share`; gives those that are over. `due` then tells when to come again."""
        self._round = self._round or deque(self.watches)
        batch = [self._round.popleft() for _ in range(min(self.account.provider.batch_size, len(self._round)))]
        pause = 0.0
        try:
            found = {task.id: task for task in self.account.fetch_many(batch, share)}
        except TRANSIENT as error:
            self._failures += 1
            _log.warning("a poll of %d tasks of %s failed: %s", len(batch), self.account.name, error)
            pause = self._pace.pause_after_failure(error, self._failures)
        except MJBridgeError as error:
            yield from (self._give_up(task_id, error) for task_id in batch)
        else:
            self._failures = 0
            for task_id in batch:
                yield from self._see(task_id, found.get(task_id), on_update)
        if not self._round:
            self._pace.after(changed=self._changed)
            self._changed = False
            pause = max(pause, self._pace.pause(deadline.left))
        self.due = self._clock() + pause

    def give_up(self) -> Iterator[Unsettled]:
        """All tasks that are left: their time is over."""
        for task_id, watch in list(self.watches.items()):
            yield self._give_up(task_id, watch.timeout())

    def _see(self, task_id: str, found: Task | None, on_update: OnUpdate) -> Iterator[Task | Unsettled]:
        watch = self.watches[task_id]
        if found is not None:
            self._changed |= watch.see(found, on_update)
            if settled := watch.settled:
                del self.watches[task_id]
                yield settled
                return
        elif watch.miss():
            yield self._give_up(task_id, TaskNotFound(f"the vendor no longer lists task {watch.ref}"))
            return
        if watch.stalled:
            yield self._give_up(task_id, watch.timeout())

    def _give_up(self, task_id: str, error: MJBridgeError) -> Unsettled:
        watch = self.watches.pop(task_id)
        return Unsettled(watch.ref, self.account.own(error, "wait"), watch.task)


def wait_many(
    groups: Iterable[Group], deadline: Deadline, timing: Timing, on_update: OnUpdate
) -> Iterator[Task | Unsettled]:
    """Each task once, as it settles or is given up. An account that fails in passing keeps no other waiting."""
    waiting = list(groups)
    while waiting:
        group = min(waiting, key=lambda each: each.due)
        pause = max(0.0, group.due - timing.clock())
        if pause >= deadline.left:
            break
        timing.sleep(pause)
        # Who hangs takes a part of the time, and leaves the others theirs.
        yield from group.poll(deadline, deadline.part(len(waiting)), on_update)
        if not group.watches:
            waiting.remove(group)
    for group in waiting:
        yield from group.give_up()
