"""The commands. Providers are imported by what a command does, never by `--help`."""

from collections.abc import Sequence

import click
import msgspec

from mjbridge import plugins
from mjbridge.cli import completion, configuration, journal, vocabulary
from mjbridge.cli.capabilities import capabilities
from mjbridge.cli.download import download
from mjbridge.cli.emulate import emulate
from mjbridge.cli.new_provider import new_provider
from mjbridge.cli.normalize import normalize
from mjbridge.cli.output import show_providers, write_line
from mjbridge.cli.show import show

_INTERRUPTED = 130


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit code. `MJBridgeError` passes through."""
    try:
        return cli.main(arguments, standalone_mode=False, complete_var="_MJBRIDGE_COMPLETE") or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("interrupted: no file was changed; a task that was accepted goes on at its vendor", err=True)
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
cli.add_command(normalize)
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


cli.add_command(new_provider)


completion.install(cli)
