"""How a command that ends in a task is run: its options, its way to the end, its files, its exit code."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from mjbridge import waiting
from mjbridge.bridge import Bridge
from mjbridge.cli import FAILURE
from mjbridge.cli.bridges import EMULATED, open_bridge, open_owner
from mjbridge.cli.output import progress, saving, show_task
from mjbridge.config import DEFAULT_ROUTE
from mjbridge.printing import printable
from mjbridge.task import Status, Task
from mjbridge.timing import REAL_TIME

Ask = Callable[..., Task]
"""A method of `Bridge`, or like one: the bridge, a follow-up's ref, the command's own values, and `timeout`."""
Start = Callable[[Bridge, float], Task]
"""Asks a bridge for a command's task within so many seconds."""


class _Seconds(click.FloatRange):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refused here, before anything is submitted, also what is no number at all."""
        seconds = float(super().convert(value, param, ctx))
        return self.fail(f"{value} is no time.", param, ctx) if math.isnan(seconds) else seconds


SECONDS: Final = _Seconds(min=0)
FOLDER: Final = click.Path(path_type=Path, file_okay=False)

_SHOWN: Final = ("download", "singles", "timeout", "as_json", "no_wait")


def task_options(*, may_leave: bool = True) -> list[click.Parameter]:
    """The options of every command that ends in a task, and that `may_leave` before the task has settled."""
    no_wait = click.Option(["--no-wait"], is_flag=True, help="Print the submitted task and leave.")
    return [
        *([no_wait] if may_leave else []),
        click.Option(["--download"], metavar="DIR", type=FOLDER, help="Save the pictures and clips in DIR."),
        click.Option(["--singles"], is_flag=True, help="With --download: the four singles of a grid too."),
        click.Option(
            ["--timeout"],
            metavar="SECONDS",
            type=SECONDS,
            default=600,
            show_default=True,
            help="Longest time for asking and waiting; --download comes after.",
        ),
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            help="Print the task as one line of JSON, and what --download saved as another.",
        ),
    ]


def route_options() -> list[click.Parameter]:
    """Where a new task goes."""
    return [
        click.Option(["--account"], metavar="NAME", help="The account or route to use (default: the route 'default')."),
        click.Option(
            ["--emulate"], metavar="PROVIDER", help="Use this provider's emulator: no network, no key, no cost."
        ),
    ]


def chosen_route(account: str | None, emulate: str | None) -> str:
    """The account or route that the options name."""
    if account and emulate:
        raise click.UsageError("--account and --emulate exclude each other")
    return f"{EMULATED}{emulate}" if emulate else account or DEFAULT_ROUTE


def new_task(name: str, ask: Ask, text: str, *parameters: click.Parameter) -> click.Command:
    """A command that makes a new task: `ask(bridge, route=..., **values)`."""

    def run(config: str | None, /, account: str | None, emulate: str | None, **values: Any) -> int:
        shown = _shown(values)
        route = chosen_route(account, emulate)

        def start(bridge: Bridge, left: float) -> Task:
            return ask(bridge, route=route, timeout=left, **values)

        return with_bridge(open_bridge(config, route), start, **shown)

    options = [*parameters, *route_options(), *task_options()]
    return click.Command(name, callback=click.pass_obj(run), params=options, help=text)


def follow_up(name: str, ask: Ask, text: str, *parameters: click.Parameter, may_leave: bool = True) -> click.Command:
    """A command about the task REF: `ask(bridge, ref, **values)`."""

    def run(config: str | None, /, ref: str, **values: Any) -> int:
        shown = _shown(values)

        def start(bridge: Bridge, left: float) -> Task:
            return ask(bridge, ref, timeout=left, **values)

        return with_bridge(open_owner(config, ref), start, **shown)

    options = [click.Argument(["ref"]), *parameters, *task_options(may_leave=may_leave)]
    return click.Command(name, callback=click.pass_obj(run), params=options, help=text)


def with_bridge(bridge: Bridge, start: Start, **shown: Any) -> int:
    """Run a command on a bridge of its own."""
    with bridge:
        return finish(bridge, start, **shown)


def finish(
    bridge: Bridge,
    start: Start,
    *,
    download: Path | None,
    timeout: float,
    as_json: bool,
    no_wait: bool = False,
    singles: bool = False,
) -> int:
    """Show a task's way to its end, save its pictures, print it; the exit code says whether it went well."""
    deadline = REAL_TIME.deadline(timeout)
    with progress() as on_update:
        task = start(bridge, deadline.left)
        on_update(task)
        if not no_wait:
            with waiting.accepted(task):
                task = bridge.wait(task, deadline.left, on_update)
    saved: list[Path] = []
    try:
        if download and (task.images or task.video_urls):
            with saving() as on_progress:
                saved = bridge.download(task, download, singles=singles, on_progress=on_progress)
        elif download:
            click.echo(printable(f"{task.ref} is {task.status} and has no picture to save"), err=True)
    finally:
        # Whatever becomes of the pictures, the task is paid for and has to be seen.
        show_task(task, saved, as_json=as_json)
    if task.status is Status.NEEDS_INPUT:
        click.echo(printable(f"it waits for input: mjbridge confirm {task.ref} --prompt TEXT --mask PICTURE"), err=True)
    return FAILURE if task.status in (Status.FAILED, Status.CANCELLED) else 0


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    """The values that say how a task is waited for and shown, taken out of a command's own."""
    return {name: values.pop(name) for name in _SHOWN if name in values}
