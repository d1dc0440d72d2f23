"""Strict reading of what a person wrote: every error names the place, the key and the nearest known one."""

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from mjbridge.errors import ConfigError

Settings = TypeVar("Settings", bound=msgspec.Struct)

_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<key>.*)`")


def read(kind: type[Settings], written: Mapping[str, Any], place: str) -> Settings:
    """`written` as a `kind`, which forbids unknown fields; `ConfigError` begins with `place` and says what is wrong."""
    try:
        return msgspec.convert(written, kind)
    except msgspec.ValidationError as error:
        unknown = _UNKNOWN_FIELD.search(str(error))
        if unknown is None:
            raise ConfigError(f"{place}: {_without_dollar(str(error))}") from None
        raise ConfigError(f"{place}: {unknown_word('key', unknown['key'], kind.__struct_encode_fields__)}") from None


def unknown_word(what: str, word: str, known: tuple[str, ...] | list[str]) -> str:
    """`unknown key 'api-key'; did you mean 'api_key'?`, or the list of what is known."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"unknown {what} {word!r}; " + (
        f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    )


def _without_dollar(message: str) -> str:
    return message.replace(" - at `$.", " at `")
