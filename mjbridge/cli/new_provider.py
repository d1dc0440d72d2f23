"""`mjbridge new-provider`: a plugin package to start from."""

from pathlib import Path
from typing import Final

import click

from mjbridge import kit


@click.command("new-provider")
@click.argument("name")
@click.option("--into", metavar="DIR", type=click.Path(path_type=Path), default=".", help="Where (default: here).")
def new_provider(name: str, into: Path) -> None:
    """Write a provider package for the vendor NAME.

    The package is complete and green: a small made-up dialect with fixtures, tests, and the entry point that mjbridge
    finds it by. Put the vendor's facts in the place of the made-up ones, one test at a time.
    """
    package = kit.create(name, into)
    click.echo(package)
    click.echo(f'next: cd {package} && pip install -e ".[test]" && pytest', err=True)


CLI_COMMANDS: Final = (new_provider,)
