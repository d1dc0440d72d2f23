"""Whose dialect a record is in, and its reader."""

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, cast

from mjbridge import fields, plugins, printing, readers
from mjbridge.doubts import OnDoubt
from mjbridge.errors import MalformedRecord, MJBridgeError
from mjbridge.fields import Record
from mjbridge.provider import NO_MATCH, Certainty, Match, Provider, Recognizer, Signs
from mjbridge.task import Task

_log = logging.getLogger("mjbridge")


def detect(record: Record) -> str | None:
    """The provider whose dialect a record is in, or None where it cannot tell; a canonical record names its own."""
    try:
        decoded = fields.decode(record)
    except MalformedRecord:
        return None
    return fields.text(decoded["provider"]) if readers.is_canonical(decoded) else _best(_matches(decoded))


def matches(record: Record) -> dict[str, Match]:
    """What every working provider says of a record, and why."""
    return _matches(fields.decode(record))


def reader(*, keep_raw: bool, on_doubt: OnDoubt | None = None) -> Callable[[Record], Task]:
    """Reads records of any dialect. It asks first who recognised the last one, for a file is seldom mixed."""
    recognizers = list(_bound_recognizers(keep_raw) if on_doubt is None else _recognizers(keep_raw, on_doubt))

    def read(record: Record) -> Task:
        for place, recognize in enumerate(recognizers):
            task = recognize(record)
            if task is not None:
                if place:
                    recognizers[:] = [recognize, *(each for each in recognizers if each is not recognize)]
                return task
        return _judged(record, keep_raw, on_doubt)

    return read


def bound(name: str, *, keep_raw: bool, on_doubt: OnDoubt | None = None) -> Callable[[Record], Task]:
    """The reader of a provider by its name. `PluginError` if there is none."""
    return (
        _bound(name, keep_raw) if on_doubt is None else _provider(name).normalizer(keep_raw=keep_raw, on_doubt=on_doubt)
    )


def _judged(record: Record, keep_raw: bool, on_doubt: OnDoubt | None) -> Task:
    decoded = fields.decode(record)
    if readers.is_canonical(decoded):
        return readers.canonical(record, keep_raw=keep_raw)
    name = _best(_matches(decoded))
    if name is None:
        raise MalformedRecord("no provider recognises this record: name the provider")
    return bound(name, keep_raw=keep_raw, on_doubt=on_doubt)(record)


def _matches(decoded: Mapping[str, Any]) -> dict[str, Match]:
    return {name: _match(provider, decoded) for name, provider in _working().items()}


def _best(matches: Mapping[str, Match]) -> str | None:
    for certainty in (Certainty.CERTAIN, Certainty.FAMILY):
        found = [name for name, match in matches.items() if match.certainty is certainty]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _recognizers(keep_raw: bool, on_doubt: OnDoubt | None) -> Iterable[Recognizer]:
    for provider in _working().values():
        others = [each for each in _working().values() if each is not provider]
        if any(each.signs == Signs() and type(each).matches is not Provider.matches for each in others):
            continue  # a stranger that does not say by what it knows its records has to be asked about each
        recognizer = provider.recognizer(_all_signs(others), keep_raw=keep_raw, on_doubt=on_doubt)
        if recognizer:
            yield recognizer


def _all_signs(providers: Iterable[Provider]) -> Signs:
    signs = [provider.signs for provider in providers]
    return Signs(
        keys=(readers.CANONICAL, *(key for each in signs for key in each.keys)),
        ids=tuple(start for each in signs for start in each.ids),
        links=tuple(start for each in signs for start in each.links),
    )


@cache
def _bound(name: str, keep_raw: bool) -> Callable[[Record], Task]:
    return _provider(name).normalizer(keep_raw=keep_raw)


@cache
def _bound_recognizers(keep_raw: bool) -> tuple[Recognizer, ...]:
    return tuple(_recognizers(keep_raw, None))


@cache
def _provider(name: str) -> Provider:
    return plugins.new(plugins.load(name), {})


@cache
def _working() -> dict[str, Provider]:
    return {name: provider for name in plugins.names() if (provider := _provider_or_none(name))}


def _provider_or_none(name: str) -> Provider | None:
    try:
        return _provider(name)
    except MJBridgeError as error:
        _log.warning("left out of detection: %s", error.message)
        return None


def _match(provider: Provider, decoded: Mapping[str, Any]) -> Match:
    """What a provider says of a record. Its own fault must not keep the others from reading it."""
    try:
        match = cast("object", provider.matches(decoded))
    except Exception as error:  # noqa: BLE001 a plugin may raise anything
        _log.warning("provider %r fails at detection: %s", provider.name, printing.raised(error))
        return NO_MATCH
    if not isinstance(match, Match):
        _log.warning("provider %r fails at detection: it gave %s, no Match", provider.name, type(match).__name__)
        return NO_MATCH
    return match
