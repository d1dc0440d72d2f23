"""Providers, found by entry point. Listing reads metadata only; a provider is imported when it is first used."""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mjbridge import settings
from mjbridge.errors import PluginError
from mjbridge.provider import API_VERSION, Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "mjbridge.providers"
"""The entry point group of provider plugins."""


class ProviderInfo(msgspec.Struct, frozen=True):
    """An installed provider: who ships it, the class it names, and what is wrong with it (`""` for nothing)."""

    name: str
    distribution: str
    target: str
    base_url: str | None = None
    fault: str = ""


def names() -> list[str]:
    """The names of all installed providers, sorted; nothing is imported."""
    return sorted({point.name for point in entry_points()})


def providers() -> dict[str, ProviderInfo]:
    """Every installed provider by name, loaded to see that it works. A broken one is listed with its fault."""
    return {name: _info(name) for name in names()}


@cache
def load(name: str) -> type[Provider]:
    """The class of one provider, imported once a process like any module.

    `PluginError` names the fault, the distributions and the way out.
    """
    found = [point for point in entry_points() if point.name == name]
    if not found:
        raise PluginError(settings.unknown_word("provider", name, names()))
    if len(found) > 1:
        both = " and ".join(f"{_distribution(point)} ({point.value})" for point in found)
        raise PluginError(f"provider {name!r} is installed by {both}: uninstall one of them", provider=name)
    return _check(name, _distribution(found[0]), _import(name, _distribution(found[0])))


def _info(name: str) -> ProviderInfo:
    found = [point for point in entry_points() if point.name == name]
    owners = ", ".join(_distribution(point) for point in found)
    try:
        provider = load(name)
    except PluginError as error:
        return ProviderInfo(name, owners, found[0].value, fault=error.message)
    return ProviderInfo(name, owners, found[0].value, provider.base_url)


def entry_points() -> "list[EntryPoint]":
    """The entry points of all installed providers."""
    from importlib import metadata  # noqa: PLC0415 only who looks for plugins pays for it

    return list(metadata.entry_points(group=GROUP))


def _distribution(point: "EntryPoint") -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


def _import(name: str, owner: str) -> Any:
    from stevedore import DriverManager  # noqa: PLC0415 loaded with the first provider, not with mjbridge

    try:
        return DriverManager(GROUP, name).driver
    except (Exception, SystemExit) as error:
        fault = f"{type(error).__name__}: {error}"
        raise PluginError(f"provider {name!r} of {owner} cannot be imported: {fault}", provider=name) from error


def _check(name: str, owner: str, loaded: object) -> type[Provider]:
    if not (isinstance(loaded, type) and issubclass(loaded, Provider)):
        raise PluginError(
            f"provider {name!r} of {owner} is {loaded!r}, not a subclass of mjbridge.Provider", provider=name
        )
    missing = [each for each in ("name", "api_version", "base_url") if not hasattr(loaded, each)]
    if missing:
        raise PluginError(f"provider {name!r} of {owner} does not state {', '.join(missing)}", provider=name)
    if loaded.name != name:
        raise PluginError(f"provider {name!r} of {owner} calls itself {loaded.name!r}", provider=name)
    if loaded.api_version != API_VERSION:
        raise PluginError(
            f"provider {name!r} of {owner} is written for API {loaded.api_version}, and this is {API_VERSION}",
            provider=name,
        )
    return loaded
