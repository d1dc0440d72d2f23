"""`mjbridge show`: a task's picture, drawn in the terminal where that can be, saved or opened where it cannot."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec
from rich.color import Color
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from mjbridge import pictures
from mjbridge.bridge import Bridge
from mjbridge.cli import FAILURE
from mjbridge.cli.bridges import open_owner, picture_folder
from mjbridge.cli.output import saving, show_task
from mjbridge.cli.running import FOLDER
from mjbridge.task import Status, Task
from mjbridge.wire import is_http

if TYPE_CHECKING:
    from PIL.Image import Image

_HALF_BLOCK = "▀"


@click.command()
@click.argument("ref", metavar="REF|FILE")
@click.option("--save", metavar="DIR", type=FOLDER, help="Save the task's files in DIR.")
@click.option("--open", "opening", is_flag=True, help="Open the picture with whatever opens pictures here.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the task as one line of JSON instead, and what --save saved as another.",
)
@click.pass_obj
def show(config: str | None, /, ref: str, save: Path | None, *, opening: bool, as_json: bool) -> int:
    """Show a task's picture in the terminal.

    The picture of the task REF, or a FILE. Where the output is no terminal with colours, the path of the picture is
    printed; a task without a picture is printed as fetch prints it.
    """
    if Path(ref).is_file():
        if save or as_json:
            raise click.UsageError("--save and --json are for a task, and this is a file")
        _present(Path(ref), opening=opening)
        return 0
    if is_http(ref):
        raise click.UsageError(f"{ref} is an address: show takes a picture's FILE, or the REF of a task")
    if ":" not in ref:
        raise click.UsageError(f"{ref} is neither a file nor a REF, which is written account:id")
    with open_owner(config, ref) as bridge:
        return _show(bridge, bridge.fetch(ref), save, opening=opening, as_json=as_json)


def _show(bridge: Bridge, task: Task, save: Path | None, *, opening: bool, as_json: bool) -> int:
    finished = task.status is Status.COMPLETED and bool(task.images or task.video_urls)
    paths = _fetched(bridge, task, save) if finished and (save or opening or not as_json) else []
    if as_json or not paths:
        show_task(task, paths if save else [], as_json=as_json)
    if paths and (opening or not as_json):
        _present(paths[0], opening=opening)
    return FAILURE if task.status in (Status.FAILED, Status.CANCELLED) else 0


def _fetched(bridge: Bridge, task: Task, save: Path | None) -> list[Path]:
    """The task's files where they are to be saved; to be looked at, the first is enough."""
    with saving() as on_progress:
        if save:
            return bridge.download(task, save, on_progress=on_progress)
        first = msgspec.structs.replace(task, image_urls=(), video_urls=()) if task.image_url else task
        return bridge.download(first, picture_folder(task.account), on_progress=on_progress)


def _present(path: Path, *, opening: bool) -> None:
    if opening and click.launch(str(path)):
        click.echo(f"nothing here opens {path}", err=True)
    elif not opening and not _draw(Console(), path):
        click.echo(str(path))


def _draw(console: Console, path: Path) -> bool:
    """Draw a picture, if this is a terminal that can and the file a picture."""
    with path.open("rb") as file:
        is_picture = pictures.told(file.read(pictures.LONGEST_SIGNATURE))
    colours = console.color_system and not console.no_color
    if not (is_picture and console.is_terminal and colours and console.encoding.startswith("utf")):
        return False
    console.print(Segments(_cells(_fitted(pictures.read(path.read_bytes()), console))), end="")
    return True


def _fitted(picture: "Image", console: Console) -> "Image":
    """The picture as large as the terminal has room for, a row of text being two of pixels."""
    scale = min(console.width / picture.width, 2 * (console.height - 1) / picture.height)
    size = max(1, round(picture.width * scale)), max(2, round(picture.height * scale / 2) * 2)
    return picture.convert("RGB").resize(size)


def _cells(picture: "Image") -> Iterator[Segment]:
    pixels = memoryview(picture.tobytes()).cast("B", (picture.height, picture.width, 3))
    for row in range(0, picture.height, 2):
        for column in range(picture.width):
            upper, lower = (_colour(pixels, line, column) for line in (row, row + 1))
            yield Segment(_HALF_BLOCK, Style(color=upper, bgcolor=lower))
        yield Segment.line()


def _colour(pixels: memoryview, row: int, column: int) -> Color:
    return Color.from_rgb(*(pixels[row, column, channel] for channel in range(3)))


CLI_COMMANDS: Final = (show,)
