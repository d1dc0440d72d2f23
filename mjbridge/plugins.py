"""Providers, found by entry point. Listing reads metadata only; a provider is imported when it is first used."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from mjbridge import mistakes, settings
from mjbridge.bodies import Body
from mjbridge.errors import ConfigError, MJBridgeError, PluginError
from mjbridge.pictures.inputs import Takes
from mjbridge.provider import API_VERSION, Match, Provider, Refusal, Signs, Support

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "mjbridge.providers"
"""The entry point group of provider plugins."""

_WAY_OUT: Final = "Mend, update or uninstall it"
# What is read of every plugin, whoever asks: one table in the wrong shape would end that for all.
_TABLES: Final[Mapping[str, tuple[type, type]]] = {
    "supports": (Mapping, Support),
    "refusals": (Mapping, Refusal),
    "lacks": (Mapping, str),
    "takes": (Mapping, Takes),
    "bodies": (Sequence, Body),
    "command_faults": (Sequence, str),
    "signs": (Signs, object),
}


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
    return _check(name, _distribution(found[0]), _import(found[0]))


def new(kind: type[Provider], options: Mapping[str, Any]) -> Provider:
    """A provider with its options. `ConfigError` for wrong ones, `PluginError` where it cannot be made at all."""
    try:
        return kind(options)
    except MJBridgeError:
        raise
    except Exception as error:
        raise PluginError(
            f"provider {kind.name!r} cannot be made: {mistakes.told(error)}", provider=kind.name
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


def _import(point: "EntryPoint") -> Any:
    from stevedore import DriverManager  # noqa: PLC0415 loaded with the first provider, not with mjbridge

    name, owner = point.name, _distribution(point)
    try:
        return DriverManager(GROUP, name).driver
    except (Exception, SystemExit) as error:
        fault = f"{type(error).__name__}: {error}"
        raise PluginError(
            f"provider {name!r} of {owner} cannot be imported ({point.value}): {fault}. {_WAY_OUT}", provider=name
        ) from error


def _check(name: str, owner: str, loaded: object) -> type[Provider]:
    fault = next(_faults(name, loaded), None)
    if fault:
        raise PluginError(f"provider {name!r} of {owner} {fault}", provider=name)
    return cast("type[Provider]", loaded)


def _faults(name: str, loaded: object) -> Iterator[str]:
    """What keeps an entry point's object from being a provider, each with the way out."""
    if not (isinstance(loaded, type) and issubclass(loaded, Provider)):
        yield f"is {loaded!r}, not a subclass of mjbridge.Provider. {_WAY_OUT}"
        return
    missing = [each for each in ("name", "api_version", "base_url") if not hasattr(loaded, each)]
    if missing:
        yield f"does not state {', '.join(missing)}. {_WAY_OUT}"
        return
    if loaded.name != name:
        yield f"calls itself {loaded.name!r}: its name and its entry point's must be the same. {_WAY_OUT}"
    api = cast("object", loaded.api_version)
    if api != API_VERSION:
        newer = "mjbridge" if isinstance(api, int) and api > API_VERSION else "version of it"
        yield f"is written for API {api!r}, and this is {API_VERSION}: install a newer {newer}"
    try:
        yield from (f"{fault}. {_WAY_OUT}" for fault in _table_faults(loaded({})))
    except ConfigError:
        return  # it demands options, so only an account can make one
    except Exception as error:  # noqa: BLE001 a plugin may raise anything
        yield f"fails when it is made: {mistakes.told(error)}. {_WAY_OUT}"


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind)


def _table_faults(provider: Provider) -> Iterator[str]:
    for table, (shape, kind) in _TABLES.items():
        found: Any = getattr(provider, table)
        if not _is(found, shape):
            yield f"has {table} of type {type(found).__name__}, which must be {shape.__name__}"
            continue
        items: Iterable[Any] = found.values() if shape is Mapping else found if shape is Sequence else ()
        strange = {type(item).__name__ for item in items if not _is(item, kind)}
        if strange:
            yield f"has {', '.join(sorted(strange))} in {table}, where {kind.__name__} belongs"
    with suppress(Exception):  # one that raises is asked again at each record, and left out there
        match = provider.matches({})
        if not _is(match, Match):
            yield f"has matches that gives {type(match).__name__}, where Match belongs"
    try:
        # ids=("x") is no tuple, and would be taken letter by letter.
        msgspec.convert(msgspec.structs.asdict(provider.signs), Signs)
    except msgspec.ValidationError as error:
        yield f"has signs that are none: {error}"
