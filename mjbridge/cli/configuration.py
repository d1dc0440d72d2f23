"""The commands about the configuration itself: `init`, `accounts`, `check`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from mjbridge import check as checks
from mjbridge import config as configuration
from mjbridge import keys, plugins
from mjbridge.bridge import Bridge
from mjbridge.cli import FAILURE, MISUSE, starter
from mjbridge.cli.output import show_table, write_line
from mjbridge.config import Config
from mjbridge.errors import ConfigError, PluginError
from mjbridge.printing import printable

_PRIVATE: Final = 0o600


class Shown(msgspec.Struct, frozen=True):
    """An account as `mjbridge accounts` shows it: `key` is how its key is written, never the key.

    `problem` is what keeps it from being used, `""` for nothing; `routes` are the routes that name it.
    """

    account: str
    provider: str
    base_url: str | None
    key: str
    problem: str
    routes: list[str]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default="mjbridge.toml")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def init(file: Path, *, force: bool) -> None:
    """Write a commented configuration that works as it stands.

    It goes to FILE (default: mjbridge.toml), which only you can read, runs on the emulator, and shows every setting of
    every installed provider.
    """
    text = starter.text()
    try:
        # Private from its first byte, for a key may come to stand here.
        how = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
        with os.fdopen(os.open(file, how, _PRIVATE), "w", encoding="utf-8") as target:
            file.chmod(_PRIVATE)
            target.write(text)
    except FileExistsError:
        raise ConfigError(f"{file} exists: --force replaces it") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from None
    click.echo(f"wrote {file}; try: mjbridge --config {file} check")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print each account as one line of JSON.")
@click.pass_obj
def accounts(config: str | None, /, *, as_json: bool) -> None:
    """List the configured accounts, and whether each is ready.

    One that is not says why: its key cannot be found, its provider is not installed, an option is wrong.
    """
    examined = configuration.examine(config)
    shown = list(_shown(configuration.usable(examined)))
    if as_json:
        for each in shown:
            write_line(msgspec.json.encode(each))
        return
    rows = [
        (
            each.account,
            each.provider,
            each.base_url or "",
            each.key or "none",
            ", ".join(each.routes),
            each.problem or "ready",
        )
        for each in shown
    ]
    click.echo(printable(f"the accounts of {examined.place}:"))
    head = ("account", "provider", "base URL", "key", "routes", "state")
    show_table(head, rows, copied=("account", "base URL"))


@click.command()
@click.option("--live", is_flag=True, help="Ask each vendor too, by one free read an account, and open the journal.")
@click.pass_obj
def check(config: str | None, /, *, live: bool) -> int:
    """Say everything that is wrong with the configuration.

    Nothing is sent without --live. Exit codes: 0 nothing is wrong, 1 a vendor refuses or cannot be reached, or the
    journal cannot be opened, 2 the configuration has mistakes.
    """
    examined = configuration.examine(config)
    found = list(checks.problems(examined))
    for problem in found:
        click.echo(printable(f"{problem.severity}: {problem.message}"))
    mistakes = any(problem.severity == "mistake" for problem in found)
    if not mistakes:
        click.echo(printable(f"{examined.place} can be used"))
    # One account's mistake keeps nobody from asking the others; a configuration that cannot be loaded has none to ask.
    refused = live and not examined.faults and _ask(examined.config)
    return MISUSE if mistakes else FAILURE if refused else 0


def _ask(config: Config) -> bool:
    """One line an account, and one for a journal that cannot be opened; whether anything does not work."""
    refused = False
    with Bridge(config) as bridge:
        for probed in checks.probe(bridge):
            refused = refused or probed.error is not None
            verdict = f"{type(probed.error).__name__}: {probed.error}" if probed.error else "works"
            click.echo(f"{probed.account} ({probed.provider}): {verdict}")
        fault = checks.journal_fault(bridge)
        if fault:
            click.echo(printable(f"journal: {fault}"))
    return refused or fault is not None


def _shown(config: Config) -> Iterator[Shown]:
    for name, account in config.accounts.items():
        yield Shown(
            account=name,
            provider=account.provider,
            base_url=configuration.without_password(account.base_url or _own_base_url(account.provider)),
            key=keys.kind(account.api_key),
            problem="; ".join(checks.account_faults(name, account)),
            routes=[route for route, settings in config.routes.items() if name in settings.accounts],
        )


def _own_base_url(provider: str) -> str | None:
    try:
        return plugins.load(provider).base_url
    except PluginError:
        return None


CLI_COMMANDS: Final = (init, accounts, check)
