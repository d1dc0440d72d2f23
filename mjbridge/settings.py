"""Strict reading of what a person wrote: every error names the place, the key and the nearest known one."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.inspect import LiteralType, StructType, type_info

from mjbridge.errors import ConfigError

Settings = TypeVar("Settings", bound=msgspec.Struct)

_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<key>.*)`")
_FIELD = re.compile(r"(?:required field `|at `\$\.)(?P<key>\w+)")


def read(kind: type[Settings], written: Mapping[str, Any], place: str) -> Settings:
    """`written` as a `kind`, which forbids unknown fields; `ConfigError` begins with `place` and says what is wrong."""
    found, faults = examine(kind, written, place)
    if found is None or faults:
        raise ConfigError(faults[0])
    return found


def examine(kind: type[Settings], written: Mapping[str, Any], place: str) -> tuple[Settings | None, list[str]]:
    """`written` as a `kind` if it can be read, and all that is wrong with it, each mistake beginning with `place`."""
    left, faults = dict(written), list[str]()
    while True:
        try:
            return msgspec.convert(left, kind), faults
        except msgspec.ValidationError as error:
            key, fault = _fault(kind, str(error))
            # What is missing only because it was wrong has been told.
            if key not in written or key in left:
                faults.append(f"{place}: {fault}")
            if key not in left:
                return None, faults
            # msgspec tells of one mistake: without its key it tells of the next.
            del left[key]


def _fault(kind: type[msgspec.Struct], message: str) -> tuple[str, str]:
    """The key that a message of msgspec's is about, and the mistake in words."""
    unknown = _UNKNOWN_FIELD.search(message)
    if unknown:
        return unknown["key"], unknown_word("key", unknown["key"], kind.__struct_encode_fields__)
    about = _FIELD.search(message)
    key = about["key"] if about else ""
    words = _words(kind, key) if "Invalid enum value" in message else ""
    return key, message.replace(" - at `$.", " at `") + words


def _words(kind: type[msgspec.Struct], key: str) -> str:
    """The words that a setting may be, where it is one of a few."""
    found = type_info(kind)
    settings = found.fields if isinstance(found, StructType) else ()
    types = (setting.type for setting in settings if setting.encode_name == key)
    return "".join(f"; known: {', '.join(map(str, each.values))}" for each in types if isinstance(each, LiteralType))


def path(written: str, folder: Path = Path()) -> Path:
    """A path as a person writes it: `~` is the home folder, and what is relative counts from `folder`."""
    # Where there is no such home the ~ stays, and is not found.
    return folder / os.path.expanduser(written)  # noqa: PTH111 Path's own way of it raises RuntimeError there


def unknown_word(what: str, word: str, known: tuple[str, ...] | list[str]) -> str:
    """`unknown key 'api-key'; did you mean 'api_key'?`, or the list of what is known."""
    import difflib  # noqa: PLC0415 only a mistake pays for its modules: `import mjbridge` has a budget of them

    in_lower_case = {each.lower(): each for each in known}
    # As text: who leaves it open, as `None` does, is told of it like of any other mistake.
    near = difflib.get_close_matches(str(word).lower(), in_lower_case, n=1)
    return f"unknown {what} {word!r}; " + (
        f"did you mean {in_lower_case[near[0]]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    )
