"""Accounts and routes, from TOML, a mapping or the usual places."""

import logging
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from mjbridge import fields, keys, settings
from mjbridge.errors import ConfigError

_log = logging.getLogger("mjbridge")

CONFIG_VARIABLE: Final = "MJBRIDGE_CONFIG"
"""The environment variable that names the configuration file, or holds its TOML: whatever has a `=` in it."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

DEFAULT_ROUTE: Final = "default"
EMULATOR: Final = "emulator:"
"""A base URL that begins so is served in this process. Behind the colon a folder may stand that remembers the tasks."""


Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
"""A time-out: more than nothing, at most a day."""


def described(text: str, example: object = None) -> msgspec.Meta:
    """What a key means, and a value where its default shows none: `mjbridge init` writes both."""
    return msgspec.Meta(description=text, examples=[] if example is None else [example])


def without_password(url: str | None) -> str | None:
    """A URL as it may be shown: what stands before its @ is a password, and behind a ? or # a key may stand."""
    return url and url.partition("?")[0].partition("#")[0].rpartition("@")[2]


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to reach a vendor: an `[accounts.NAME]` table. Time-outs and intervals are in seconds."""

    provider: Annotated[str, described("the dialect: a name that `mjbridge providers` lists")]
    base_url: Annotated[
        str | None, described("where the vendor is; `emulator:` is nowhere, and costs nothing", "http://127.0.0.1:8080")
    ] = None
    api_key: Annotated[
        str | None, described("`env:NAME`, `file:PATH`, `keyring:SERVICE/USER`, or the key itself", "env:MJBRIDGE_KEY")
    ] = None
    connect_timeout: Annotated[Seconds, described("seconds to make a connection")] = 10.0
    read_timeout: Annotated[Seconds, described("longest silence in seconds; the two bound a whole reply")] = 60.0
    proxy: Annotated[str | None, described("an HTTP proxy", "http://127.0.0.1:3128")] = None
    headers: Annotated[dict[str, str], described("headers for every request")] = {}
    verify: Annotated[bool | str, described("check the vendor's certificate: true, false or a CA file")] = True
    max_rate: Annotated[Annotated[float, msgspec.Meta(gt=0)] | None, described("requests a second, at most", 5.0)] = (
        None
    )
    max_in_flight: Annotated[Annotated[int, msgspec.Meta(ge=1)] | None, described("tasks at a time, at most", 10)] = (
        None
    )
    poll_interval: Annotated[
        Annotated[float, msgspec.Meta(ge=0, le=86_400)] | None,
        described("seconds between two polls of a task; by default what the vendor advises", 5.0),
    ] = None
    options: Annotated[dict[str, Any], described("the provider's own")] = {}

    @property
    def emulated(self) -> bool:
        """Whether the emulator stands in for the vendor: no network, no key, no cost."""
        return (self.base_url or "").startswith(EMULATOR)

    def __repr__(self) -> str:
        return f"AccountSettings(provider={self.provider!r}, base_url={without_password(self.base_url)!r})"


FALL_BACK_ON: Final = ("Unavailable", "RateLimited", "QuotaExceeded", "AuthenticationError", "Unsupported")
"""The errors after which a route tries its next account, unless it says otherwise."""
MAY_FALL_BACK_ON: Final = (
    *FALL_BACK_ON,
    "ContentRejected",
    "InvalidCommand",
    "TaskNotFound",
    "ConfigError",
    "PluginError",
)
"""Those that a route may name: each says that nothing was accepted."""
NEVER_FALL_BACK_ON: Final = ("SubmissionUnknown", "MalformedReply", "MalformedRecord", "WaitTimeout", "TaskFailed")
"""Those after which a task may exist."""


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accounts to try, in order: a `[routes.NAME]` table, or just the list."""

    accounts: Annotated[list[str], described("accounts to try, in order")]
    fall_back_on: Annotated[
        tuple[str, ...], described("the errors after which the next account is tried, if nothing was accepted")
    ] = FALL_BACK_ON
    cool_down: Annotated[
        float,
        msgspec.Meta(ge=0, le=86_400),
        described("seconds that a failed account rests; doubled each time in a row"),
    ] = 30.0
    wait: Annotated[bool, described("whether a submit waits for the first account that is free again")] = False
    on_task_failed: Annotated[
        Literal["stop", "next"], described("what `Bridge.run` does with a task that its vendor failed")
    ] = "stop"
    max_submissions: Annotated[
        int, msgspec.Meta(ge=1), described("accepted tasks that one run may cost, where on_task_failed is next")
    ] = 2

    def faults(self, known: Collection[str]) -> Iterator[str]:
        """What is wrong with it, where these are the accounts."""
        if not self.accounts:
            yield "names no account"
        for name in dict.fromkeys(self.accounts):
            if name not in known:
                yield settings.unknown_word("account", name, list(known))
            elif self.accounts.count(name) > 1:
                yield f"names {name!r} more than once"
        for word in self.fall_back_on:
            if word in NEVER_FALL_BACK_ON:
                yield f"fall_back_on: {word} proves no refusal: submitting again might pay twice"
            elif word not in MAY_FALL_BACK_ON:
                yield f"fall_back_on: {settings.unknown_word('category', word, list(MAY_FALL_BACK_ON))}"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a `Bridge` is built from."""

    accounts: dict[str, AccountSettings] = {}
    routes: dict[str, RouteSettings] = {}
    journal: Annotated[
        str | None,
        described("a file, SQL URL or `env:NAME` of one that knows of every submit before it leaves", "mjbridge.db"),
    ] = None

    def __repr__(self) -> str:
        # A journal's URL may hold a password.
        return f"Config(accounts={self.accounts!r}, routes={self.routes!r})"

    def account(self, name: str) -> AccountSettings:
        """One account's settings; `ConfigError` names the nearest known account."""
        if name not in self.accounts:
            raise ConfigError(settings.unknown_word("account", name, list(self.accounts)))
        return self.accounts[name]

    def route(self, name: str) -> list[str]:
        """The accounts behind a route's, or an account's, name. With one account there is no need to name it."""
        if name in self.routes:
            return self.routes[name].accounts
        if name == DEFAULT_ROUTE and len(self.accounts) == 1:
            return list(self.accounts)
        if not self.accounts:
            raise ConfigError("there is no account: add an [accounts.NAME] table")
        if name == DEFAULT_ROUTE and name not in self.accounts:
            raise ConfigError(f"there is no default route; name an account, or add {DEFAULT_ROUTE} = [...] to [routes]")
        if name not in self.accounts:
            raise ConfigError(settings.unknown_word("route or account", name, [*self.routes, *self.accounts]))
        return [name]


Source: TypeAlias = Mapping[str, Any] | str | Path | Config | None
"""Where a configuration comes from: a mapping, a TOML file's path, a `Config`, or None for the usual places."""

Kind = TypeVar("Kind", bound=msgspec.Struct)


class Examined(msgspec.Struct, frozen=True):
    """A configuration as far as it can be read, what is wrong with it, and what is only unwise."""

    config: Config
    place: str = "configuration"
    faults: list[str] = []
    warnings: list[str] = []


def load(source: Source = None) -> Config:
    """A configuration from a mapping or a TOML file; None looks in the usual places. `ConfigError` if it is wrong."""
    return usable(examine(source))


def usable(examined: Examined) -> Config:
    """The configuration, its warnings logged; `ConfigError` for its first mistake."""
    if examined.faults:
        raise ConfigError(examined.faults[0])
    for warning in examined.warnings:
        _log.warning("%s", warning)
    return examined.config


def examine(source: Source = None) -> Examined:
    """What `load` would read, with everything that is wrong with it; no mistake is raised."""
    if isinstance(source, Config):
        return Examined(source, faults=list(_faults(source, "configuration", source.accounts)))
    if isinstance(source, Mapping):
        return _read(source, "configuration")
    try:
        return _from_file(Path(source)) if source is not None else _from_usual_places()
    except ConfigError as error:
        return Examined(Config(), faults=[error.message])


def _from_usual_places() -> Examined:
    named = os.environ.get(CONFIG_VARIABLE, "")
    if "=" in named:
        return _read(_toml(named, f"${CONFIG_VARIABLE}"), f"${CONFIG_VARIABLE}")
    path = find()
    if path is None:
        raise ConfigError(
            f"no configuration found; looked at {', '.join(map(str, _usual_places()))}; `mjbridge init` writes one"
        )
    return _from_file(path)


def _from_file(path: Path) -> Examined:
    try:
        # Editors on Windows begin a file with a mark of its encoding.
        examined = _read(_toml(path.read_text(encoding="utf-8-sig"), str(path)), str(path), path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    return msgspec.structs.replace(examined, warnings=list(_exposed(examined.config, path)))


def _beside(folder: Path, config: Config) -> Config:
    """Paths count from the configuration's folder: whoever runs it from wherever, they are the same files."""
    journal = config.journal
    if journal and "://" not in journal:
        is_path = keys.kind(journal) == keys.PLAIN
        journal = str(settings.path(journal, folder)) if is_path else keys.beside(folder, journal)
    accounts = {name: _account_beside(folder, account) for name, account in config.accounts.items()}
    return msgspec.structs.replace(config, journal=journal, accounts=accounts)


def _account_beside(folder: Path, account: AccountSettings) -> AccountSettings:
    memory, verify, base_url = (account.base_url or "").removeprefix(EMULATOR), account.verify, account.base_url
    if account.emulated and memory:
        base_url = f"{EMULATOR}{settings.path(memory, folder)}"
    if isinstance(verify, str) and verify:
        verify = str(settings.path(verify, folder))
    api_key = keys.beside(folder, account.api_key)
    return msgspec.structs.replace(account, base_url=base_url, verify=verify, api_key=api_key)


def _exposed(config: Config, path: Path) -> Iterator[str]:
    # Windows keeps no such bits.
    if os.name == "posix" and path.stat().st_mode & _OTHERS:
        for name, account in config.accounts.items():
            if keys.kind(account.api_key) == keys.PLAIN:
                yield (
                    f"{path}: [accounts.{name}]: the api_key stands in a file that others can read: "
                    f'chmod 600 it, or write api_key = "{keys.example(name)}"'
                )


def find() -> Path | None:
    """The first configuration file of the usual places that exists; one named by the environment must exist."""
    if named := os.environ.get(CONFIG_VARIABLE):
        return settings.path(named)
    return next((place for place in _usual_places()[1:] if isinstance(place, Path) and place.is_file()), None)


def _usual_places() -> list[Path | str]:
    home = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA") or "~/.config"
    return [f"${CONFIG_VARIABLE}", Path("mjbridge.toml"), settings.path(home) / "mjbridge" / "mjbridge.toml"]


def _toml(text: str, place: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 not needed by who configures with a mapping

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place}: is not TOML: {error}") from None


def _read(written: Mapping[str, Any], place: str, folder: Path = Path()) -> Examined:
    written = {str(key): value for key, value in written.items()}
    known = Config.__struct_fields__
    faults = [f"{place}: {settings.unknown_word('table', key, known)}" for key in written if key not in known]
    journal = written.get("journal")
    if not isinstance(journal, str | None):
        faults.append(f"{place}: journal is {type(journal).__name__}, not a path or an SQL URL")
        journal = None
    faults.extend(_misplaced(written, place))
    accounts = _tables(AccountSettings, written.get("accounts", {}), f"{place}: [accounts", faults)
    routes = _tables(RouteSettings, _routes(written.get("routes", {})), f"{place}: [routes", faults)
    config = _beside(folder, Config(accounts=accounts, routes=routes, journal=journal))
    faults.extend(_faults(config, place, fields.mapping(written.get("accounts", {}))))
    return Examined(config, place, faults)


def _misplaced(written: Mapping[str, Any], place: str) -> Iterator[str]:
    """Each table that a journal was written below: TOML takes it for the table's own."""
    for name in ("accounts", "routes"):
        tables = fields.mapping(written.get(name))
        below = [f"{name}.{each}" for each, table in tables.items() if "journal" in fields.mapping(table)]
        for table in [name, *below] if isinstance(tables.get("journal"), str) else below:
            yield f"{place}: [{table}]: journal belongs to no table: write it above the first [accounts.NAME]"


def _tables(kind: type[Kind], written: object, place: str, faults: list[str]) -> dict[str, Kind]:
    """The tables behind `[accounts]` or `[routes]` that can be read; `faults` grows by what is wrong with them."""
    if not fields.is_object(written):
        faults.append(f"{place}] is not a table")
        return {}
    found: dict[str, Kind] = {}
    for name, table in written.items():
        if not fields.is_object(table):
            faults.append(f"{place}.{name}] is not a table")
            continue
        read, wrong = settings.examine(kind, table, f"{place}.{name}]")
        faults.extend(wrong)
        if read is not None:
            found[str(name)] = read
    return found


def _routes(written: object) -> object:
    """Each route as a table: a list alone is the accounts."""
    if not fields.is_object(written):
        return written
    return {name: table if fields.is_object(table) else {"accounts": table} for name, table in written.items()}


def _faults(config: Config, place: str, known: Collection[str]) -> Iterator[str]:
    """What is wrong with tables that can be read. `known` are the accounts' names, those that cannot be read too."""
    for name, account in config.accounts.items():
        # A ref is "account:id", split at its first colon.
        if not name or ":" in name:
            yield f"{place}: [accounts.{name!r}]: an account's name is not empty and holds no colon"
        for fault in _connection_faults(account):
            yield f"{place}: [accounts.{name}]: {fault}"
    for name, route in config.routes.items():
        for fault in route.faults(known):
            yield f"{place}: [routes.{name}]: {fault}"


def _connection_faults(account: AccountSettings) -> Iterator[str]:
    for header, value in account.headers.items():
        # The value may be a secret: only the name is told.
        if not (_HEADER_NAME.fullmatch(header) and value.isascii() and value.isprintable()):
            yield f"headers: {header!r} or its value holds characters that no header can carry"
    # Nothing is what requests takes for False.
    if isinstance(account.verify, str) and not (account.verify and Path(account.verify).exists()):
        yield f"verify: there is no file or folder {account.verify!r}"
