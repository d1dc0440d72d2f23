"""The starter file that `mjbridge init` writes: made of the settings' own descriptions and the installed providers."""

import inspect
import json
import re
from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec

from mjbridge import keys, plugins
from mjbridge.config import DEFAULT_ROUTE, EMULATOR, AccountSettings, Config, RouteSettings
from mjbridge.provider import Provider

_HEAD: Final = """\
# Accounts, and routes over them. `mjbridge check` says what is wrong here, `mjbridge check --live` asks the vendors.
# A line that begins with # and no space is a setting: take the # away to use it. Values shown are defaults or examples.
"""
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_REHEARSAL: Final = "rehearsal"


def text() -> str:
    """A configuration that works as it stands, on the emulator, and shows all there is to set."""
    installed = [plugins.load(info.name) for info in plugins.providers().values() if not info.fault]
    blocks = [
        [_HEAD],
        _settings(Config, without={"accounts", "routes"}),
        _rehearsal(installed[0].name if installed else "cometapi"),
        *(_account(provider) for provider in installed),
        _routes([provider.name for provider in installed]),
    ]
    return "\n\n".join("\n".join(block).strip() for block in blocks) + "\n"


def _rehearsal(provider: str) -> Iterator[str]:
    yield "# No network, no key, no cost."
    yield f"[accounts.{_REHEARSAL}]"
    yield _setting("provider", provider)
    yield _setting("base_url", EMULATOR)
    yield "# Any account may say:"
    yield from _settings(AccountSettings, without={"provider", "base_url", "options"})


def _account(provider: type[Provider]) -> Iterator[str]:
    if provider.base_url:
        yield f"# {provider.base_url}"
    yield f"#[accounts.{_key(provider.name)}]"
    yield f"#{_setting('provider', provider.name)}"
    if provider.base_url is None:
        yield from _settings(AccountSettings, only={"base_url"})
    yield f"#{_setting('api_key', keys.example(provider.name))}" + ("" if provider.needs_key else "  # if any")
    if provider.Options.__struct_fields__:
        yield from _prose(provider.Options)
        yield from _settings(provider.Options, prefix="options.")


def _routes(names: list[str]) -> Iterator[str]:
    yield "# A route is a list of accounts to try, in order, or a table that says more."
    yield "[routes]"
    yield _setting(DEFAULT_ROUTE, [_REHEARSAL])
    yield ""
    yield "#[routes.careful]"
    yield f"#{_setting('accounts', names)}"
    yield from _settings(RouteSettings, without={"accounts"})


def _settings(
    kind: type[msgspec.Struct], *, only: Collection[str] = (), without: Collection[str] = (), prefix: str = ""
) -> Iterator[str]:
    """A line a key: its default or an example, and its meaning or the values it may have."""
    _, definitions = msgspec.json.schema_components([kind])
    described: dict[str, dict[str, Any]] = definitions[kind.__name__]["properties"]
    for name, schema in described.items():
        if name not in without and (not only or name in only):
            value = next(iter(schema.get("examples", ())), schema.get("default"))
            meaning = schema.get("description") or ", ".join(map(str, schema.get("enum", ())))
            yield f"#{_setting(prefix + name, value)}" + (f"  # {meaning}" if meaning else "")


def _setting(key: str, value: object) -> str:
    # JSON's texts, numbers, lists and empty tables are TOML's as well.
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def _prose(documented: type) -> Iterator[str]:
    return (f"# {line}" for line in (inspect.getdoc(documented) or "").splitlines() if line)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name)
