"""The commands in sections, as `mjbridge --help` lists them."""

from collections.abc import Mapping
from typing import Final

import click

SECTIONS: Final[Mapping[str, str]] = {
    "New tasks": "imagine blend describe shorten edit video swap-face upload",
    "Follow-ups of a task": "upscale vary reroll zoom pan inpaint remix extend press confirm cancel",
    "Tasks": "fetch wait show download seed tasks resume",
    "Stored records": "normalize",
    "Accounts and vendors": "init accounts check providers capabilities emulate new-provider",
}
"""Each command stands in one of them."""


class Sections(click.Group):
    """A group whose help lists its commands by section, all in columns of the same width."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The sections in their order."""
        longest = max(map(len, self.commands))
        room = formatter.width - longest - 6
        for title, names in SECTIONS.items():
            rows = [(name.ljust(longest), self.commands[name].get_short_help_str(room)) for name in names.split()]
            with formatter.section(title):
                formatter.write_dl(rows)
