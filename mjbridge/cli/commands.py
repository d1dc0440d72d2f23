"""The command line. Providers are imported by what a command does, never by `--help`."""

from collections.abc import Sequence

import click

from mjbridge.cli import INTERRUPTED, completion
from mjbridge.cli.sections import Sections


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit code. `MJBridgeError` passes through."""
    try:
        return cli.main(arguments, standalone_mode=False, complete_var="_MJBRIDGE_COMPLETE") or 0
    except click.ClickException as error:
        error.show()
        if isinstance(error, click.UsageError) and error.ctx:
            click.echo(_meant(error, error.ctx.command), err=True, nl=False)
        return error.exit_code
    except click.Abort:
        click.echo("interrupted: no file is half written; a task that was accepted goes on at its vendor", err=True)
        return INTERRUPTED


@click.group(cls=Sections, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
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


completion.completed(cli)


def _meant(error: click.UsageError, command: click.Command) -> str:
    """A line about what a frequent mistake was meant to be, or nothing."""
    option = error.option_name if isinstance(error, click.NoSuchOption) else ""
    if command is not cli and any(option in parameter.opts for parameter in cli.params):
        return f"{option} stands before the command: mjbridge {option} ... {command.name}\n"
    takes_prompt = any(isinstance(each, click.Argument) and each.name == "prompt" for each in command.params)
    if takes_prompt and (option or "extra argument" in error.message):
        return "Midjourney's own flags belong into PROMPT, and quotes around it\n"
    return ""
