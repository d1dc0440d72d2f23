"""The commands. Providers are imported by what a command does, never by `--help`."""

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from mjbridge import plugins, records
from mjbridge.cli import FAILURE, completion, configuration, journal, vocabulary
from mjbridge.cli.capabilities import capabilities
from mjbridge.cli.download import download
from mjbridge.cli.emulate import emulate
from mjbridge.cli.new_provider import new_provider
from mjbridge.cli.output import show_providers, write_line
from mjbridge.cli.show import show
from mjbridge.records import Reject

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
for _command in vocabulary.ALL:
    cli.add_command(_command)


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


cli.add_command(new_provider)


def _content(file: Any) -> bytes:
    content: bytes = file.read()
    return content


completion.install(cli)
