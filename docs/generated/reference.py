"""Reference tables: the configuration from its structs, the command line from click, the errors from their classes."""

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
import msgspec

from mjbridge import Provider, config, errors, plugins
from mjbridge.cli.commands import cli
from mjbridge.errors import MJBridgeError
from tables import prose, table

OURS: Final = ("cometapi", "octopusx", "apimart", "mjproxy")


def settings(kind: str) -> str:
    """The keys of a settings struct of `mjbridge.config`, each with its type, default and meaning."""
    return keys(getattr(config, kind))


def options(_: str) -> str:
    """The options of every provider that has some."""
    kinds = {name: plugins.load(name).Options for name in OURS}
    told = (f"### {name}\n\n{prose(kind)}\n\n{keys(kind)}" for name, kind in kinds.items() if kind.__struct_fields__)
    return "\n\n".join(told)


def keys(kind: type[msgspec.Struct]) -> str:
    """The keys of any struct that is read strictly."""
    rows = ((f"`{key}`", *rest) for key, *rest in _described(kind))
    return table(("key", "type", "default", "meaning"), rows)


def _described(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str, str, str]]:
    _, definitions = msgspec.json.schema_components([kind])
    told = definitions[kind.__name__]
    for key, schema in told["properties"].items():
        default = "required" if key in told.get("required", ()) else _value(schema.get("default"))
        yield key, _type(schema), default, schema.get("description", "")


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    limits = [f"{word} {schema[key]:g}" for key, word in _LIMITS.items() if key in schema]
    return " ".join((_TYPES.get(schema.get("type", ""), "anything"), ", ".join(limits))).strip()


_TYPES: Final = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "list",
    "object": "table",
}
_LIMITS: Final = {"exclusiveMinimum": "above", "minimum": "from", "maximum": "to"}


def _value(default: object) -> str:
    return "" if default in (None, {}, []) else f"`{json.dumps(default)}`"


_LINE: Final = 80
"""As many characters as a page's column has room for."""


def commands(_: str) -> str:
    """The help of every command, as `--help` prints it and in the order of its sections."""
    look: Any = {**cli.context_settings, "terminal_width": _LINE}
    top = click.Context(cli, info_name="mjbridge", **look)
    named = [(name, cli.get_command(top, name)) for name in cli.list_commands(top)]
    contexts = [(f"mjbridge {name}", click.Context(each, top, name, **look)) for name, each in named if each]
    pages = [("mjbridge", top), *contexts]
    return "\n\n".join(f"## {title}\n\n```text\n{each.command.get_help(each)}\n```" for title, each in pages)


def categories(_: str) -> str:
    """Every error of the family: what it means, and what its text says to do."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MJBridgeError)]
    ordered = sorted(kinds, key=lambda kind: inspect.getsourcelines(kind)[1])
    rows = (
        (f"`{kind.__name__}`", prose(kind), kind.way_out or "What its message says")
        for kind in ordered
        if kind is not MJBridgeError
    )
    return table(("error", "what it means", "what to do"), rows)


def cell(provider: type[Provider], command: type) -> str:
    """How a provider does a command, and within which limits; empty if it does not."""
    support = provider.supports.get(command)
    return "" if support is None else ": ".join(filter(None, (support.level.value, support.note)))
