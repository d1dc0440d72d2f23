"""The commands. Providers are imported by what a command does, never by `--help`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from mjbridge import plugins, records
from mjbridge.bridge import Bridge
from mjbridge.cli import FAILURE, completion, configuration, journal
from mjbridge.cli.accounts import EMULATED, open_bridge
from mjbridge.cli.capabilities import capabilities
from mjbridge.cli.download import download
from mjbridge.cli.emulate import emulate
from mjbridge.cli.output import progress, saving, show_providers, show_task, write_line
from mjbridge.cli.show import show
from mjbridge.config import DEFAULT_ROUTE
from mjbridge.records import Reject
from mjbridge.task import Bot, Speed, Status, Task

Function = TypeVar("Function", bound=Callable[..., Any])

_INTERRUPTED = 130


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit code. `MJBridgeError` passes through."""
    try:
        return cli.main(arguments, standalone_mode=False, complete_var="_MJBRIDGE_COMPLETE") or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("interrupted: an accepted task goes on at the vendor; fetch its ref", err=True)
        return _INTERRUPTED


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", metavar="FILE", help="Accounts and routes (default: $MJBRIDGE_CONFIG, ./mjbridge.toml, ...).")
@click.version_option(package_name="mjbridge")
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Midjourney pictures from any reseller.

    \b
    Try it without a key, a network or a cost:
      mjbridge imagine "a lighthouse at dusk --ar 16:9" --emulate cometapi --download out

    A task is named by its REF, "account:id", which every command prints. Progress goes to stderr, results to stdout;
    --json prints each task as one line of JSON. Exit codes: 0 done, 1 failure, 2 misuse.
    """
    context.obj = config


cli.add_command(configuration.init)
cli.add_command(configuration.accounts)
cli.add_command(configuration.check)
cli.add_command(download)
cli.add_command(emulate)
cli.add_command(show)
cli.add_command(capabilities)
cli.add_command(journal.tasks)
cli.add_command(journal.resume)


def _task_options(function: Function) -> Function:
    """The options of every command that ends in a task."""
    options = (
        click.option("--download", metavar="DIR", type=click.Path(path_type=Path), help="Save the pictures in DIR."),
        click.option("--singles", is_flag=True, help="With --download: the four singles too, cut if need be."),
        click.option("--timeout", metavar="SECONDS", type=float, default=600, show_default=True, help="Longest wait."),
        click.option("--json", "as_json", is_flag=True, help="Print the task as one line of JSON."),
    )
    for option in reversed(options):
        function = option(function)
    return function


_no_wait = click.option("--no-wait", is_flag=True, help="Print the submitted task and leave.")


@cli.command()
@click.argument("prompt")
@click.option("--account", metavar="NAME", help="The account or route to use (default: the route 'default').")
@click.option("--emulate", metavar="PROVIDER", help="Use this provider's emulator: no network, no key, no cost.")
@click.option("--bot", type=click.Choice(list(Bot)), help="Which bot draws.")
@click.option("--speed", type=click.Choice(list(Speed)), help="Which queue runs it.")
@_no_wait
@_task_options
@click.pass_obj
def imagine(
    config: str | None,
    /,
    prompt: str,
    account: str | None,
    emulate: str | None,
    bot: str | None,
    speed: str | None,
    **shown: Any,
) -> int:
    """Make a grid of four pictures from PROMPT."""
    if account and emulate:
        raise click.UsageError("--account and --emulate exclude each other")
    route = f"{EMULATED}{emulate}" if emulate else account or DEFAULT_ROUTE
    return _with(config, route, lambda bridge: bridge.imagine(prompt, route=route, bot=bot, speed=speed), **shown)


@cli.command()
@click.argument("ref")
@click.option("--wait", is_flag=True, help="Poll until the task is settled.")
@_task_options
@click.pass_obj
def fetch(config: str | None, /, ref: str, wait: bool, **shown: Any) -> int:
    """Show the task REF as it stands."""
    return _with(config, ref, lambda bridge: bridge.fetch(ref), no_wait=not wait, **shown)


@cli.command()
@click.argument("ref")
@click.argument("button")
@_no_wait
@_task_options
@click.pass_obj
def press(config: str | None, /, ref: str, button: str, **shown: Any) -> int:
    """Press a BUTTON of the task REF: its label (U1), emoji or custom id."""
    return _with(config, ref, lambda bridge: bridge.press(ref, button), **shown)


@cli.command()
@click.argument("ref")
@click.argument("number", type=click.IntRange(1, 4))
@_no_wait
@_task_options
@click.pass_obj
def upscale(config: str | None, /, ref: str, number: int, **shown: Any) -> int:
    """Get picture NUMBER (1-4) of the grid REF by itself."""
    return _with(config, ref, lambda bridge: bridge.upscale(ref, number), **shown)


@cli.command()
@click.argument("ref")
@click.argument("number", type=click.IntRange(1, 4))
@_no_wait
@_task_options
@click.pass_obj
def vary(config: str | None, /, ref: str, number: int, **shown: Any) -> int:
    """Make a new grid of variations of picture NUMBER (1-4) of the grid REF."""
    return _with(config, ref, lambda bridge: bridge.vary(ref, number), **shown)


@cli.command()
@click.argument("ref")
@_no_wait
@_task_options
@click.pass_obj
def reroll(config: str | None, /, ref: str, **shown: Any) -> int:
    """Make a new grid from the same prompt as the grid REF."""
    return _with(config, ref, lambda bridge: bridge.reroll(ref), **shown)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print each provider as one line of JSON.")
def providers(as_json: bool) -> None:
    """List the installed providers, and what is wrong with those that do not work."""
    found = list(plugins.providers().values())
    if not as_json:
        show_providers(found)
        return
    for info in found:
        write_line(msgspec.json.encode(info))


@cli.command()
@click.argument("file", type=click.File("rb"))
@click.option("--provider", metavar="NAME", help="Whose records they are (default: each tells by itself).")
@click.option("--json", is_flag=True, expose_value=False, help="What is printed anyway, said for scripts' sake.")
def normalize(file: click.File, provider: str | None) -> int:
    """Print the records of FILE (one or a list; - is stdin) as canonical tasks, one line of JSON each.

    What is no task record goes to stderr with its number and reason, and the exit code is 1.
    """
    if provider is not None:
        plugins.load(provider)
    rejects = 0
    for item in records.read(_content(file), provider):
        if isinstance(item, Reject):
            rejects += 1
            click.echo(f"record {item.number}: {item.reason}", err=True)
        else:
            write_line(item.to_json())
    return FAILURE if rejects else 0


def _content(file: Any) -> bytes:
    content: bytes = file.read()
    return content


def _with(config: str | None, ref: str, start: Callable[[Bridge], Task], **shown: Any) -> int:
    """Run a command on the account of a ref (or on the route of that name)."""
    with open_bridge(config, ref.partition(":")[0]) as bridge:
        return _finish(bridge, lambda: start(bridge), **shown)


def _finish(
    bridge: Bridge,
    start: Callable[[], Task],
    *,
    download: Path | None,
    timeout: float,
    as_json: bool,
    no_wait: bool = False,
    singles: bool = False,
) -> int:
    """Show a task's way to its end, save its pictures, print it; the exit code says whether it went well."""
    with progress() as on_update:
        task = start()
        on_update(task)
        if not no_wait:
            task = bridge.wait(task, timeout, on_update)
    saved: list[Path] = []
    try:
        if download and (task.images or task.video_urls):
            with saving() as on_progress:
                saved = bridge.download(task, download, singles=singles, on_progress=on_progress)
        elif download:
            click.echo(f"{task.ref} is {task.status} and has no picture to save", err=True)
    finally:
        # Whatever becomes of the pictures, the task is paid for and has to be seen.
        show_task(task, saved, as_json=as_json)
    return FAILURE if task.status in (Status.FAILED, Status.CANCELLED) else 0


completion.install(cli)
