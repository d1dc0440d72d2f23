"""Fallback: the accounts of a route in their order, until one accepts. The rules are data, in `RouteSettings`.

A command goes on to the next account only when this one provably did not take it and the route's list names the error;
everything else stops there. An account that fails cools down, and is passed over until it has.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from mjbridge import errors
from mjbridge.account import Account, CoolOff
from mjbridge.commands import Command
from mjbridge.config import RouteSettings
from mjbridge.errors import AllAccountsFailed, MJBridgeError, SubmissionUnknown
from mjbridge.events import SILENT, Events, FellBack
from mjbridge.task import Attempt, Status, Task
from mjbridge.timing import Deadline, Timing

_log = logging.getLogger("mjbridge")

_COOLING: Final = frozenset({"Unavailable", "RateLimited", "QuotaExceeded", "AuthenticationError"})
"""Errors that speak of the account and not of the command, as far as the route falls back on them."""
_LOOK_AGAIN: Final = 0.5
"""Seconds between two rounds, at least: nobody knows when a full account will see one of its tasks settle."""

Trail = dict[str, Attempt]
"""The accounts that were tried, in order, each with the reason why it passed last."""


class Route:
    """A route's accounts, tried in order for one command after another. Thread-safe: what it knows is theirs."""

    def __init__(
        self,
        name: str,
        settings: RouteSettings,
        open_account: Callable[[str], Account],
        timing: Timing,
        events: Events = SILENT,
    ) -> None:
        self._name = name
        self._settings = settings
        self._open = open_account
        self._timing = timing
        self._events = events
        cooling = (getattr(errors, word) for word in settings.fall_back_on if word in _COOLING)
        # Nobody may send an unknown submit again, but the next command need not meet the same silence.
        self._cool_off = CoolOff((*cooling, SubmissionUnknown), settings.cool_down)

    def submit(self, command: Command, deadline: Deadline, passed: Sequence[Attempt] = ()) -> Task:
        """A new task of the first account that takes the command; those that `passed` before are left out.

        Raises `AllAccountsFailed`, or at once what the route does not fall back on. Both carry the trail.
        """
        trail: Trail = {attempt.account: attempt for attempt in passed}
        names = [name for name in self._settings.accounts if name not in trail]
        waited = False
        while True:
            resting: list[Account] = []
            for name in names:
                outcome = self._try(name, command, deadline, trail, resting)
                if isinstance(outcome, Task):
                    return msgspec.structs.replace(outcome, attempts=tuple(trail.values()))
                if outcome and name != names[-1]:
                    self._fell_back(name, outcome)
            pause = max(min((account.limits.cool_down.left for account in resting), default=0.0), _LOOK_AGAIN)
            if not resting or not self._settings.wait or pause > deadline.left:
                raise self._failure(trail, resting)
            if not waited:
                _log.info("route %s waits for an account to be free again: %s", self._name, _told(trail))
            waited = True
            self._timing.sleep(pause)
            names = [account.name for account in resting]

    def run(self, command: Command, deadline: Deadline, wait: Callable[[Task], Task]) -> Task:
        """Submit and wait. A task that its vendor failed is submitted to the next account, where the route says so."""
        task = wait(self.submit(command, deadline))
        more = self._settings.max_submissions - 1 if self._settings.on_task_failed == "next" else 0
        for _ in range(more):
            account = self._open(task.account)
            if task.status is not Status.FAILED or account.provider.blames_command(task):
                break
            failed = _attempt(account.name, account.failure(task))
            try:
                again = self.submit(command, deadline, (*task.attempts, failed))
            except AllAccountsFailed as error:
                _log.warning("route %s has no account left after %s: %s", self._name, task.ref, error)
                break
            task = wait(again)
        return task

    def _try(
        self, name: str, command: Command, deadline: Deadline, trail: Trail, resting: list[Account]
    ) -> Task | MJBridgeError | None:
        """The task, or why the account passes, None where it is not even asked. `resting` grows by who may be later."""
        try:
            account = self._open(name)
            _check_supported(account, command)
        except MJBridgeError as error:
            return self._passed(name, error, trail)
        place = self._place(account, trail)
        if place is None:
            resting.append(account)
            return None
        try:
            return account.submit(command, deadline, place=place, cool_off=self._cool_off)
        except MJBridgeError as error:
            if isinstance(error, self._cool_off.categories):
                resting.append(account)
            return self._passed(name, error, trail)

    def _place(self, account: Account, trail: Trail) -> object | None:
        """A place for a submit, None where the account is cooling down or full."""
        left = account.limits.cool_down.left
        if left:
            category, told = account.limits.cool_down.reason
            message = f"not asked, for it cools down for {left:.1f} s more: {told}"
            trail[account.name] = Attempt(account.name, account.provider.name, category, message)
            return None
        try:
            return account.enter()
        except MJBridgeError as error:
            trail[account.name] = _attempt(account.name, error)
            return None

    def _passed(self, name: str, error: MJBridgeError, trail: Trail) -> MJBridgeError:
        """The error, once the failed attempt is noted; raises it if the route does not fall back on it."""
        trail[name] = _attempt(name, error)
        if error.accepted != "no" or type(error).__name__ not in self._settings.fall_back_on:
            error.attempts = tuple(trail.values())
            raise error
        return error

    def _fell_back(self, name: str, error: MJBridgeError) -> None:
        category = type(error).__name__
        self._events.tell(
            FellBack, account=name, provider=error.provider, operation="submit", route=self._name, category=category
        )

    def _failure(self, trail: Trail, resting: Iterable[Account]) -> AllAccountsFailed:
        returns = [left for account in resting if (left := account.limits.cool_down.left)]
        way_out = "" if self._settings.wait else "; a route with `wait = true` waits for those that rest"
        return AllAccountsFailed(
            f"no account of the route {self._name} took it: {_told(trail)}{way_out if returns else ''}",
            attempts=tuple(trail.values()),
            retry_after=min(returns, default=None),
        )


def _check_supported(account: Account, command: Command) -> None:
    if type(command) not in account.provider.supports:
        error = account.provider.unsupported(type(command).__name__)
        error.account, error.operation = account.name, "submit"
        raise error


def _told(trail: Trail) -> str:
    return "; ".join(f"{each.account}: {each.category}: {each.message}" for each in trail.values())


def _attempt(name: str, error: MJBridgeError) -> Attempt:
    return Attempt(name, error.provider, type(error).__name__, error.message)
