"""`mjbridge download`: the files of finished tasks."""

import math
from pathlib import Path
from typing import Final

import click

from mjbridge.cli.bridges import open_owner
from mjbridge.cli.output import saving, write_paths
from mjbridge.cli.running import FOLDER, SECONDS


@click.command()
@click.argument("ref")
@click.argument("folder", metavar="[DIR]", type=FOLDER, default=".")
@click.option("--singles", is_flag=True, help="The four singles of a grid too.")
@click.option("--timeout", metavar="SECONDS", type=SECONDS, help="Longest time (default: as long as the files come).")
@click.option("--json", "as_json", is_flag=True, help="Print the ref and the paths as one line of JSON.")
@click.pass_obj
def download(
    config: str | None, /, ref: str, folder: Path, *, singles: bool, timeout: float | None, as_json: bool
) -> None:
    """Save a finished task's pictures and clips.

    Those of the task REF in DIR (default: here); their paths are printed. What is there already is not fetched again,
    and what broke off goes on where it stopped.
    """
    longest = math.inf if timeout is None else timeout
    with open_owner(config, ref) as bridge, saving() as on_progress:
        paths = bridge.download(ref, folder, singles=singles, timeout=longest, on_progress=on_progress)
    if as_json:
        write_paths(ref, paths)
        return
    for path in paths:
        click.echo(str(path))


CLI_COMMANDS: Final = (download,)
