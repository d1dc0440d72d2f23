"""Accounts and routes, from TOML, a mapping or the usual places."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from mjbridge import fields, settings
from mjbridge.errors import ConfigError

CONFIG_VARIABLE: Final = "MJBRIDGE_CONFIG"
"""The environment variable that names the configuration file."""
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

DEFAULT_ROUTE: Final = "default"
EMULATOR: Final = "emulator:"
"""A base URL that begins so is served in this process. Behind the colon a file may stand that remembers the tasks."""


Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
"""A time-out: more than nothing, at most a day."""


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to reach a vendor: an `[accounts.NAME]` table. Time-outs and intervals are in seconds."""

    provider: str
    base_url: str | None = None
    api_key: str | None = None
    connect_timeout: Seconds = 10.0
    read_timeout: Seconds = 60.0
    proxy: str | None = None
    headers: dict[str, str] = {}
    verify: bool | str = True
    max_rate: Annotated[float, msgspec.Meta(gt=0)] | None = None
    max_in_flight: Annotated[int, msgspec.Meta(ge=1)] | None = None
    poll_interval: Annotated[float, msgspec.Meta(ge=0, le=86_400)] | None = None
    options: dict[str, Any] = {}

    @property
    def emulated(self) -> bool:
        """Whether the emulator stands in for the vendor: no network, no key, no cost."""
        return (self.base_url or "").startswith(EMULATOR)

    def __repr__(self) -> str:
        return f"AccountSettings(provider={self.provider!r}, base_url={self.base_url!r})"


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accounts to try, in order: a `[routes.NAME]` table, or just the list."""

    accounts: list[str]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a `Bridge` is built from."""

    accounts: dict[str, AccountSettings] = {}
    routes: dict[str, RouteSettings] = {}

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
        if name == DEFAULT_ROUTE and name not in self.accounts:
            raise ConfigError(f"there is no default route; name an account or add `[routes]\n{DEFAULT_ROUTE} = [...]`")
        self.account(name)
        return [name]


def load(source: Mapping[str, Any] | str | Path | Config | None = None) -> Config:
    """A configuration from a mapping or a TOML file; None looks in the usual places. `ConfigError` if it is wrong."""
    if isinstance(source, Config):
        _check(source, "configuration")
        return source
    if isinstance(source, Mapping):
        return _read(source, "configuration")
    path = Path(source) if source is not None else find()
    if path is None:
        raise ConfigError(
            f"no configuration found; looked at {', '.join(map(str, _usual_places()))}; write one of them"
        )
    return _read(_toml(path), str(path))


def find() -> Path | None:
    """The first configuration file of the usual places that exists; one named by the environment must exist."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    return next((place for place in _usual_places()[1:] if isinstance(place, Path) and place.is_file()), None)


def _usual_places() -> list[Path | str]:
    home = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA") or Path.home() / ".config"
    return [f"${CONFIG_VARIABLE}", Path("mjbridge.toml"), Path(home) / "mjbridge" / "mjbridge.toml"]


def _toml(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 not needed by who configures with a mapping

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None


def _read(written: Mapping[str, Any], place: str) -> Config:
    unknown = [key for key in written if key not in Config.__struct_fields__]
    if unknown:
        raise ConfigError(f"{place}: {settings.unknown_word('table', str(unknown[0]), Config.__struct_fields__)}")
    accounts = {
        str(name): settings.read(
            AccountSettings, _table(table, f"{place}: [accounts.{name}]"), f"{place}: [accounts.{name}]"
        )
        for name, table in _table(written.get("accounts", {}), f"{place}: [accounts]").items()
    }
    routes = {
        str(name): settings.read(RouteSettings, _route(table), f"{place}: [routes.{name}]")
        for name, table in _table(written.get("routes", {}), f"{place}: [routes]").items()
    }
    config = Config(accounts=accounts, routes=routes)
    _check(config, place)
    return config


def _table(value: object, place: str) -> Mapping[str, Any]:
    if not fields.is_object(value):
        raise ConfigError(f"{place} is not a table")
    return value


def _route(value: object) -> Mapping[str, Any]:
    return value if fields.is_object(value) else {"accounts": value}


def _check(config: Config, place: str) -> None:
    for name, account in config.accounts.items():
        # A ref is "account:id", split at its first colon.
        if not name or ":" in name:
            raise ConfigError(f"{place}: [accounts.{name!r}]: an account's name is not empty and holds no colon")
        _check_connection(account, f"{place}: [accounts.{name}]")
    for name, route in config.routes.items():
        if not route.accounts:
            raise ConfigError(f"{place}: [routes.{name}]: names no account")
        for named in route.accounts:
            if named not in config.accounts:
                word = settings.unknown_word("account", named, list(config.accounts))
                raise ConfigError(f"{place}: [routes.{name}]: {word}")


def _check_connection(account: AccountSettings, place: str) -> None:
    for header, value in account.headers.items():
        # The value may be a secret: only the name is told.
        if not (_HEADER_NAME.fullmatch(header) and value.isascii() and value.isprintable()):
            raise ConfigError(f"{place}: headers: {header!r} or its value holds characters that no header can carry")
    if isinstance(account.verify, str) and not Path(account.verify).exists():
        raise ConfigError(f"{place}: verify: there is no file or folder {account.verify!r}")


def secret(value: str | None) -> str:
    """The key behind `env:NAME`, `file:PATH` or the key itself; `""` for None. Errors never show it."""
    kind, colon, name = (value or "").partition(":")
    if colon and kind in _SECRETS and not name:
        raise ConfigError(f"api_key is {value!r} without a name behind it")
    key = (_SECRETS[kind](name) if colon and kind in _SECRETS else value or "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError("api_key holds spaces, line breaks or other characters that no header can carry")
    return key


def _from_environment(name: str) -> str:
    if not os.environ.get(name):
        raise ConfigError(f"api_key is env:{name}, and that variable is not set")
    return os.environ[name]


def _from_file(name: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"api_key is file:{name}, which cannot be read: {type(error).__name__}") from None


_SECRETS: Final = {"env": _from_environment, "file": _from_file}
