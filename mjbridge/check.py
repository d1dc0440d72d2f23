"""Everything that is wrong with a configuration: offline, and by a free read against each vendor."""

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from mjbridge import plugins, requirements, settings
from mjbridge.bridge import Bridge
from mjbridge.config import DEFAULT_ROUTE, AccountSettings, Config, Examined
from mjbridge.errors import ConfigError, JournalError, MJBridgeError, PluginError

Severity = Literal["mistake", "warning"]


class Problem(msgspec.Struct, frozen=True):
    """Something to mend: `message` names the file, the table and the key. A warning keeps nothing from working."""

    message: str
    severity: Severity = "mistake"


class Probed(msgspec.Struct, frozen=True):
    """What a vendor said to an account's free read: `error` is None where the account works."""

    account: str
    provider: str
    error: MJBridgeError | None = None


def problems(examined: Examined) -> Iterator[Problem]:
    """All mistakes of a configuration, then its warnings. Nothing is sent to anybody."""
    yield from map(Problem, examined.faults)
    if not examined.faults and not examined.config.accounts:
        yield Problem(f"{examined.place}: there is no account: add an [accounts.NAME] table")
    for name, account in examined.config.accounts.items():
        for fault in account_faults(name, account):
            yield Problem(f"{examined.place}: [accounts.{name}]: {fault}")
    try:
        requirements.journal(examined.config.journal)
    except ConfigError as error:
        yield Problem(f"{examined.place}: {error.message}")
    unused = (f"{examined.place}: {warning}" for warning in _unused(examined.config))
    for warning in (*examined.warnings, *unused):
        yield Problem(warning, severity="warning")


def account_faults(name: str, account: AccountSettings) -> Iterator[str]:
    """What keeps an account from being used: its provider, its options, its base URL, its key."""
    try:
        provider = plugins.load(account.provider)
    except PluginError as error:
        yield error.message
        return
    # A mistake in one hides none in the others; the options' own are told one by one.
    _, faults = settings.examine(provider.Options, account.options, "options")
    yield from faults
    checks: list[Callable[[], object]] = [
        lambda: requirements.base_url(account, provider),
        lambda: requirements.proxy(account),
        lambda: requirements.key(account, provider, name),
    ]
    for check in checks if faults else [lambda: requirements.provider(account), *checks]:
        try:
            check()
        except ConfigError as error:
            yield error.message


def probe(bridge: Bridge) -> Iterator[Probed]:
    """One free read of each account, in order, but of those that cannot be used as they are configured."""
    for name, account in bridge.config.accounts.items():
        if any(account_faults(name, account)):
            continue
        try:
            bridge.account(name).probe()
        except MJBridgeError as error:
            yield Probed(name, account.provider, error)
        else:
            yield Probed(name, account.provider)


def journal_fault(bridge: Bridge) -> JournalError | None:
    """What keeps the journal from being read; None where nothing does, or where there is none."""
    try:
        next(bridge.journal.unsettled() if bridge.journal else iter(()), None)
    except JournalError as error:
        return error
    return None


def _unused(configured: Config) -> Iterator[str]:
    if not configured.routes:
        if len(configured.accounts) > 1 and DEFAULT_ROUTE not in configured.accounts:
            yield f"there is no route: add `[routes]` with `{DEFAULT_ROUTE} = [...]`, or name an account with each call"
        return
    used = {name for route in configured.routes.values() for name in route.accounts}
    for name in configured.accounts:
        if name not in used:
            yield f"[accounts.{name}]: no route uses it: only who names it does"
