"""Whether what an entry point names is a provider: its class, its tables, and what it answers to nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import msgspec

from mjbridge import printing
from mjbridge.bodies import Body
from mjbridge.errors import ConfigError
from mjbridge.pictures.inputs import Takes
from mjbridge.provider import API_VERSION, Match, Provider, Refusal, Signs, Support

WAY_OUT: Final = "Mend, update or uninstall it"
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


def faults(name: str, loaded: object) -> Iterator[str]:
    """What keeps an entry point's object from being a provider, each with the way out."""
    if not (isinstance(loaded, type) and issubclass(loaded, Provider)):
        yield f"is {loaded!r}, not a subclass of mjbridge.Provider. {WAY_OUT}"
        return
    missing = [each for each in ("name", "api_version", "base_url") if not hasattr(loaded, each)]
    if missing:
        yield f"does not state {', '.join(missing)}. {WAY_OUT}"
        return
    if loaded.name != name:
        yield f"calls itself {loaded.name!r}: its name and its entry point's must be the same. {WAY_OUT}"
    api = cast("object", loaded.api_version)
    if api != API_VERSION:
        newer = "mjbridge" if isinstance(api, int) and api > API_VERSION else "version of it"
        yield f"is written for API {api!r}, and this is {API_VERSION}: install a newer {newer}"
    try:
        yield from (f"{fault}. {WAY_OUT}" for fault in _table_faults(loaded({})))
    except ConfigError:
        return  # it demands options, so only an account can make one
    except Exception as error:  # noqa: BLE001 a plugin may raise anything
        yield f"fails when it is made: {printing.raised(error)}. {WAY_OUT}"


def _is(value: object, kind: type) -> bool:
    """`isinstance`, of which no type checker concludes that a plugin keeps to its types."""
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
