"""Providers, found by entry point. Listing reads metadata only; a provider is imported when it is first used."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from mjbridge import printing, settings
from mjbridge.errors import MJBridgeError, PluginError
from mjbridge.provider import Provider

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
    return _loaded(found[0])


def new(kind: type[Provider], options: Mapping[str, Any]) -> Provider:
    """A provider with its options. `ConfigError` for wrong ones, `PluginError` where it cannot be made at all."""
    try:
        return kind(options)
    except MJBridgeError:
        raise
    except Exception as error:
        raise PluginError(
            f"provider {kind.name!r} cannot be made: {printing.raised(error)}", provider=kind.name
        ) from error


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


def _loaded(point: "EntryPoint") -> type[Provider]:
    """The class that an entry point names, found sound."""
    from stevedore import DriverManager  # noqa: PLC0415 loaded with the first provider, not with mjbridge

    from mjbridge import vetting  # noqa: PLC0415 there must be a provider to vet: `import mjbridge` has a budget of modules

    try:
        found: object = DriverManager(GROUP, point.name).driver
    except (Exception, SystemExit) as error:
        fault = f"cannot be imported ({point.value}): {type(error).__name__}: {error}. {vetting.WAY_OUT}"
        raise _broken(point, fault) from error
    fault = next(vetting.faults(point.name, found), "")
    if fault:
        raise _broken(point, fault)
    return cast("type[Provider]", found)


def _broken(point: "EntryPoint", fault: str) -> PluginError:
    return PluginError(f"provider {point.name!r} of {_distribution(point)} {fault}", provider=point.name)
