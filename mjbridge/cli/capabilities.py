"""`mjbridge capabilities`: what each provider can do, as the providers themselves state it."""

from collections.abc import Iterator, Sequence
from typing import Final

import click
import msgspec

from mjbridge import plugins
from mjbridge.cli.output import show_table, write_line
from mjbridge.commands import COMMANDS
from mjbridge.errors import PluginError
from mjbridge.provider import Level, Support

_NOTHING = "-"


class Capability(msgspec.Struct, frozen=True):
    """A cell of the table."""

    provider: str
    command: str
    level: Level
    note: str
    limits: dict[str, str]

    @property
    def remark(self) -> str:
        """Its limits and its note, in words."""
        limits = (f"{field}: {limit}" for field, limit in self.limits.items())
        return "; ".join(filter(None, (*limits, self.note)))


@click.command()
@click.option("--provider", metavar="NAME", help="Only this provider.")
@click.option("--json", "as_json", is_flag=True, help="Print each cell as one line of JSON.")
@click.option("--markdown", is_flag=True, help="Print the table as it stands in the documentation.")
def capabilities(provider: str | None, *, as_json: bool, markdown: bool) -> None:
    """List what each provider can do.

    A command is native, emulated (by several requests, or a button of the task's) or, where there is a dash,
    unsupported: asking for it is refused before anything is sent. Limits and notes stand below the table.
    """
    cells = [cell for name in ([provider] if provider else _working()) for cell in _cells(name)]
    if as_json:
        for cell in cells:
            write_line(msgspec.json.encode(cell))
    elif markdown:
        click.echo(_markdown(cells), nl=False)
    else:
        _print(cells)


def _working() -> Iterator[str]:
    for name in plugins.names():
        try:
            plugins.load(name)
        except PluginError as error:
            click.echo(str(error), err=True)
        else:
            yield name


def _cells(provider: str) -> Iterator[Capability]:
    loaded = plugins.load(provider)
    for kind in COMMANDS:
        support: Support = loaded.support(kind)
        yield Capability(provider, kind.__name__, support.level, support.note, dict(support.limits))


def _rows(cells: Sequence[Capability]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows: a command each, a provider a column."""
    names = list(dict.fromkeys(cell.provider for cell in cells))
    levels = {(cell.command, cell.provider): cell.level for cell in cells}
    commands = dict.fromkeys(cell.command for cell in cells)
    words = {Level.UNSUPPORTED: _NOTHING}
    rows = [[command, *(words.get(level := levels[command, name], level) for name in names)] for command in commands]
    return ["command", *names], rows


def _remarks(cells: Sequence[Capability]) -> list[str]:
    """What is to be said of a command, once for all the providers of which it is true."""
    providers: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        providers.setdefault((cell.command, cell.remark), []).append(cell.provider)
    order = [kind.__name__ for kind in COMMANDS]
    told = sorted((key for key in providers if key[1]), key=lambda key: order.index(key[0]))
    return [f"{command} ({', '.join(providers[command, remark])}): {remark}" for command, remark in told]


def _print(cells: Sequence[Capability]) -> None:
    show_table(*_rows(cells))
    for remark in _remarks(cells):
        click.echo(remark)


def _markdown(cells: Sequence[Capability]) -> str:
    head, rows = _rows(cells)
    table = [head, ["---"] * len(head), *rows]
    remarks = [f"- {remark}" for remark in _remarks(cells)]
    return "\n".join([*(f"| {' | '.join(row)} |" for row in table), "", *remarks, ""])


CLI_COMMANDS: Final = (capabilities,)
