"""Shell completion of what only this machine knows: accounts, providers and refs. Whatever fails completes nothing."""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias, TypeVar

import click
from click.shell_completion import CompletionItem

from mjbridge import config as configuration
from mjbridge import plugins
from mjbridge.errors import MJBridgeError

_Items: TypeAlias = "list[CompletionItem[str]]"
Kind = TypeVar("Kind", bound=click.Command)
Words = Callable[[click.Context], Iterable[str]]


class Completed(click.types.StringParamType):
    """A text that a shell can complete."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "_Items":
        """The words that begin so."""
        try:
            return [CompletionItem(word) for word in self._words(ctx) if word.startswith(incomplete)]
        except (MJBridgeError, OSError):
            return []


def _accounts(context: click.Context) -> list[str]:
    config = configuration.load(context.find_root().params.get("config"))
    return [*config.accounts, *config.routes]


def _providers(_: click.Context) -> list[str]:
    return plugins.names()


def _refs(_: click.Context) -> list[str]:
    from mjbridge.cli.bridges import known_refs  # noqa: PLC0415 only a ref that is being completed needs platformdirs

    return known_refs()


_TYPES: Final["dict[str, click.ParamType[Any]]"] = {
    "account": Completed(_accounts),
    "config": click.Path(),
    "emulate": Completed(_providers),
    "provider": Completed(_providers),
    "ref": Completed(_refs),
}
"""By a parameter's name, for every command alike."""
_PLACES: Final = ("FILE", "INPUT", "SOURCE")
"""What the place of a file is called in the help."""


def completed(command: Kind) -> Kind:
    """The command, its parameters of such names ones that a shell can complete."""
    for parameter in command.params:
        if type(parameter.type) is click.types.StringParamType:
            is_place = any(place in (parameter.metavar or "") for place in _PLACES)
            parameter.type = _TYPES.get(parameter.name or "", click.Path() if is_place else parameter.type)
    return command
