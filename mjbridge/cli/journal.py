"""The commands about what was submitted before: `tasks` and `resume`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from mjbridge.bridge import Bridge
from mjbridge.cli import FAILURE
from mjbridge.cli.bridges import open_bridge
from mjbridge.cli.output import show_table, show_task, write_line
from mjbridge.cli.running import FOLDER, SECONDS
from mjbridge.errors import ConfigError, MJBridgeError
from mjbridge.printing import printable
from mjbridge.task import Status, Task
from mjbridge.waiting import Unsettled

if TYPE_CHECKING:
    from mjbridge.journal import Entry, Journal


@click.command()
@click.option("--all", "everything", is_flag=True, help="List what is settled, refused or dismissed too.")
@click.option("--dismiss", metavar="ID", help="Take this one off the list: you know what became of it.")
@click.option("--json", "as_json", is_flag=True, help="Print each submission as one line of JSON.")
@click.pass_obj
def tasks(config: str | None, /, *, everything: bool, dismiss: str | None, as_json: bool) -> None:
    """List the tasks of the journal that have not settled.

    Submits that may have been accepted are listed too: look for them at the vendor, then --dismiss them.
    Needs `journal = "FILE"` in the configuration.
    """
    with open_bridge(config, None) as bridge:
        journal = _journal(bridge)
        if dismiss:
            journal.dismiss(dismiss)
        entries = list(journal.all() if everything else journal.unsettled())
    if as_json:
        for entry in entries:
            write_line(msgspec.json.encode(entry))
        return
    _show(entries)
    _tell_of_unknown(entries)


@click.command()
@click.option("--download", metavar="DIR", type=FOLDER, help="Save the pictures and clips in DIR.")
@click.option("--timeout", metavar="SECONDS", type=SECONDS, default=600, show_default=True, help="Longest wait.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print each task as one line of JSON, and what --download saved as another."
)
@click.pass_obj
def resume(config: str | None, /, *, download: Path | None, timeout: float, as_json: bool) -> int:
    """Poll the tasks of the journal until each has settled.

    Each is printed as it does. Exit code 1 if a task failed, or has not settled; it stays in the journal then.
    """
    with open_bridge(config, None) as bridge:
        entries = list(_journal(bridge).unsettled())
        _tell_of_unknown(entries)
        known = [entry for entry in entries if entry.ref and entry.account in bridge.config.accounts]
        strange = [entry for entry in entries if entry.ref and entry.account not in bridge.config.accounts]
        for entry in strange:
            click.echo(f"{entry.ref}: there is no account {entry.account!r} any more", err=True)
        refs = list(dict.fromkeys(entry.ref for entry in known))
        well = _resumed(bridge, refs, timeout, download, as_json=as_json)
    return 0 if well and not strange else FAILURE


def _resumed(bridge: Bridge, refs: Sequence[str], timeout: float, download: Path | None, *, as_json: bool) -> bool:
    """Wait for the tasks, show each as it settles; whether all ended well."""
    console = Console(stderr=True, highlight=False, emoji=False)
    all_well = True

    def update(task: Task) -> None:
        if not console.is_terminal:
            line = f"{task.ref} {task.status} {task.progress or 0}%"
            console.print(printable(line), soft_wrap=True, markup=False)

    with Progress(console=console, disable=not console.is_terminal) as bar:
        row = bar.add_task("settled", total=len(refs))
        for item in bridge.wait_many(refs, timeout, update):
            if isinstance(item, Unsettled):
                click.echo(printable(f"{item.ref}: {item.error}"), err=True)
            well = isinstance(item, Task) and _finish(bridge, item, download, as_json=as_json)
            all_well = all_well and well
            bar.advance(row)
    return all_well


def _finish(bridge: Bridge, task: Task, download: Path | None, *, as_json: bool) -> bool:
    saved: list[Path] = []
    well = task.status not in (Status.FAILED, Status.CANCELLED)
    try:
        if download and (task.images or task.video_urls):
            saved = bridge.download(task, download)
    except MJBridgeError as error:
        # One that cannot be saved keeps none of the others waiting.
        click.echo(printable(f"{task.ref}: {error}"), err=True)
        well = False
    show_task(task, saved, as_json=as_json)
    return well


def _journal(bridge: Bridge) -> "Journal":
    if bridge.journal is None:
        raise ConfigError('there is no journal: add journal = "mjbridge.db" above the tables of the configuration')
    return bridge.journal


def _show(entries: "Sequence[Entry]") -> None:
    rows = [
        (
            entry.submitted_at.isoformat(" ", "seconds"),
            f"{entry.outcome} {entry.status or entry.category}".strip(),
            entry.ref or f"{entry.account}, submission {entry.id}",
            _told(entry),
        )
        for entry in entries
    ]
    show_table(("submitted", "outcome", "task or submission", "command"), rows, copied=("task or submission",))


def _told(entry: "Entry") -> str:
    """A command in a few words: what it is, and its prompt or the task that it follows."""
    command: dict[str, object] = msgspec.json.decode(entry.command, type=dict[str, object])
    return printable(f"{command.get('command')} {command.get('prompt') or command.get('task_id') or ''}".strip())


def _tell_of_unknown(entries: "Sequence[Entry]") -> None:
    for entry in entries:
        if entry.outcome == "unknown":
            click.echo(
                f"submission {entry.id} ({_told(entry)}) may have been accepted by {entry.account}: look at the "
                f"vendor's task list, then: mjbridge tasks --dismiss {entry.id}",
                err=True,
            )


CLI_COMMANDS: Final = (tasks, resume)
