"""The commands in sections, as `mjbridge --help` lists them; one is imported when it is called."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

from mjbridge import settings
from mjbridge.cli import completion

SECTIONS: Final[Mapping[str, str]] = {
    "New tasks": "imagine blend describe shorten edit video swap-face upload",
    "Follow-ups of a task": "upscale vary reroll zoom pan inpaint remix extend press confirm cancel",
    "Tasks": "fetch wait show download seed tasks resume",
    "Stored records": "normalize",
    "Accounts and vendors": "init accounts check providers capabilities emulate new-provider",
}
"""Each command stands in one of them."""

_MODULES: Final[Mapping[str, str]] = {
    "vocabulary": f"{SECTIONS['New tasks']} {SECTIONS['Follow-ups of a task']} fetch wait seed",
    "show": "show",
    "download": "download",
    "journal": "tasks resume",
    "normalize": "normalize",
    "configuration": "init accounts check",
    "providers": "providers",
    "capabilities": "capabilities",
    "emulate": "emulate",
    "new_provider": "new-provider",
}
"""Where each command is written."""


class Sections(click.Group):
    """A group that knows its commands by name, and whose help lists them by section, in columns of the same width."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the sections."""
        return " ".join(SECTIONS.values()).split()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported with the first question for it."""
        if cmd_name not in self.commands and cmd_name in self.list_commands(ctx):
            self.add_command(completion.completed(_imported(cmd_name)))
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called, or the nearest one told: click knows only those that were imported."""
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(settings.unknown_word("command", args[0], names))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The sections in their order."""
        commands = {name: _imported(name) for name in self.list_commands(ctx)}
        longest = max(map(len, commands))
        room = formatter.width - longest - 6
        for title, names in SECTIONS.items():
            rows = [(name.ljust(longest), commands[name].get_short_help_str(room)) for name in names.split()]
            with formatter.section(title):
                formatter.write_dl(rows)


def _imported(name: str) -> click.Command:
    where = next(module for module, names in _MODULES.items() if name in names.split())
    commands: tuple[click.Command, ...] = import_module(f"mjbridge.cli.{where}").CLI_COMMANDS
    return next(command for command in commands if command.name == name)
