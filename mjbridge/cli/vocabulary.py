"""The commands of the vocabulary at the command line: a row each, over the bridge's method of that name."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import click

from mjbridge.bridge import Bridge
from mjbridge.cli.bridges import open_bridge, open_owner
from mjbridge.cli.output import show_task
from mjbridge.cli.running import chosen_route, follow_up, new_task, route_options, task_options, with_bridge
from mjbridge.commands import Dimensions, Direction, Enlargement, Motion, Strength
from mjbridge.commands.follow_ups import ZOOMS
from mjbridge.pictures import inputs
from mjbridge.printing import printable
from mjbridge.task import Bot, Speed, Task


class Picture(click.Path):
    """A file, or an http(s) URL or data URI as it is."""

    name = "picture"

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What was written is a path only if it is nothing else."""
        given = inputs.is_address(value) or inputs.is_content(value)
        return value if given else super().convert(value, param, ctx)


PICTURE: Final = Picture()


def _choice(words: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([word.value for word in words])


def _number(*, required: bool = True) -> click.Argument:
    metavar = "NUMBER" if required else "[NUMBER]"
    return click.Argument(["index"], metavar=metavar, type=click.IntRange(1, 4), required=required)


def _words(help_text: str = "What it shall show.") -> click.Option:
    return click.Option(["--prompt"], metavar="TEXT", help=help_text)


def _bot() -> click.Option:
    return click.Option(["--bot"], type=_choice(Bot), help="Which bot draws.")


def _speed() -> click.Option:
    return click.Option(["--speed"], type=_choice(Speed), help="Which queue runs it.")


def _lines(first: str, more: str, example: str = "") -> str:
    """A help: the line that `mjbridge --help` shows too, what else there is to say, an example."""
    return "\n\n".join((first, more, *([f"\b\n  {example}"] if example else [])))


def _picture(*names: str, help: str, multiple: bool = False) -> click.Option:  # noqa: A002 as click has it
    return click.Option(names, metavar="PICTURE", type=PICTURE, multiple=multiple, help=help)


def _clips() -> list[click.Parameter]:
    return [
        _words("What shall happen."),
        click.Option(["--motion"], type=_choice(Motion), default=Motion.HIGH.value, help="How much moves."),
    ]


def _longer_clips() -> list[click.Parameter]:
    return [
        *_clips(),
        click.Option(["--batch"], type=int, metavar="CLIPS", help="How many clips: 1, 2 or 4."),
        click.Option(["--resolution"], type=int, metavar="LINES", help="Lines of the clips: 480 or 720."),
    ]


def _zoom(bridge: Bridge, ref: str, ratio: str | None, prompt: str | None, **more: Any) -> Task:
    if prompt is None:
        return bridge.zoom(ref, float(ratio or 2), **more)
    if ratio:
        raise click.UsageError("--ratio and --prompt exclude each other: the prompt says --zoom 1 to --zoom 2")
    return bridge.zoom(ref, None, prompt=prompt, **more)


_OF_MIDJOURNEY: Final[tuple[click.Command, ...]] = (
    new_task(
        "imagine",
        Bridge.imagine,
        _lines(
            "Make a grid of four pictures from PROMPT.",
            "PROMPT may hold Midjourney's flags. For example:",
            'mjbridge imagine "a lighthouse at dusk --ar 16:9" --download out',
        ),
        click.Argument(["prompt"]),
        _picture("--image", "images", help="A picture to look at; may be given again.", multiple=True),
        _picture("--style-reference", help="A picture for its style; may be given again.", multiple=True),
        _picture("--character-reference", help="A picture for its character; may be given again.", multiple=True),
        _bot(),
        _speed(),
    ),
    new_task(
        "blend",
        Bridge.blend,
        "Make a grid from two to five PICTURES, each a file or a URL.",
        click.Argument(["images"], metavar="PICTURES...", nargs=-1, required=True, type=PICTURE),
        click.Option(["--dimensions"], type=_choice(Dimensions), help="1:1, 2:3 or 3:2."),
        click.Option(["--aspect"], metavar="W:H", help="Any other form, where the vendor takes it."),
        _bot(),
        _speed(),
    ),
    new_task(
        "describe",
        Bridge.describe,
        "Suggest prompts for PICTURE, a file or a URL.",
        click.Argument(["image"], metavar="PICTURE", type=PICTURE),
        _speed(),
    ),
    new_task("shorten", Bridge.shorten, "Suggest shorter prompts for PROMPT.", click.Argument(["prompt"]), _speed()),
    new_task(
        "edit",
        Bridge.edit,
        "Change PICTURES, files or URLs, as PROMPT says.",
        click.Argument(["prompt"]),
        click.Argument(["images"], metavar="PICTURES...", nargs=-1, required=True, type=PICTURE),
        _picture("--mask", help="White is painted anew, black is kept."),
        click.Option(["--retexture"], is_flag=True, help="Keep the form, and change all else."),
        _speed(),
    ),
    new_task(
        "swap-face",
        Bridge.swap_face,
        _lines(
            "Put the face of SOURCE into TARGET, or into a video.",
            "SOURCE and TARGET are pictures, files or URLs. Give TARGET or --video.",
        ),
        click.Argument(["source"], type=PICTURE),
        click.Argument(["target"], type=PICTURE, required=False),
        click.Option(["--video"], metavar="VIDEO", type=PICTURE, help="A clip, a file or a URL."),
        _speed(),
    ),
    follow_up(
        "press",
        Bridge.press,
        _lines("Press a BUTTON of the task REF.", "BUTTON is its label (U1), its emoji or its custom id."),
        click.Argument(["button"]),
    ),
    follow_up(
        "upscale",
        Bridge.upscale,
        _lines(
            "Get picture NUMBER (1-4) of a grid, or a single one larger.",
            "REF is a grid, with NUMBER, or a single picture, with --kind. For example:",
            "mjbridge upscale main:1730621826053455 2 --download out",
        ),
        _number(required=False),
        click.Option(["--kind"], type=_choice(Enlargement), help="How a single picture is made larger."),
    ),
    follow_up(
        "vary",
        Bridge.vary,
        _lines(
            "Vary picture NUMBER (1-4) of a grid, or a single picture.",
            "REF is a grid, with NUMBER, or a single picture, with --strength. The outcome is a new grid.",
        ),
        _number(required=False),
        click.Option(["--strength"], type=_choice(Strength), help="How far from the single picture."),
    ),
    follow_up("reroll", Bridge.reroll, "Make a new grid from the same prompt as the grid REF."),
    follow_up(
        "zoom",
        _zoom,
        "Show more around the single picture REF.",
        click.Option(
            ["--ratio"],
            type=click.Choice([f"{ratio:g}" for ratio in ZOOMS]),
            help="How much more it shows (default: 2).",
        ),
        _words("A custom zoom: the whole prompt, with --zoom 1 to --zoom 2 in it."),
    ),
    follow_up(
        "pan",
        Bridge.pan,
        "Continue the single picture REF to one side.",
        click.Argument(["direction"], type=_choice(Direction)),
    ),
    follow_up(
        "inpaint",
        Bridge.inpaint,
        _lines(
            "Paint a part of the single picture REF anew.",
            "Without --mask and --prompt the task waits for `mjbridge confirm`.",
        ),
        _picture("--mask", help="White is painted anew, black is kept."),
        _words(),
    ),
    follow_up(
        "remix",
        Bridge.remix,
        "Vary picture NUMBER (1-4) of the grid REF by a new prompt.",
        _number(),
        _words("What it shall show. Without it some vendors ask: `mjbridge confirm` answers."),
        click.Option(["--strength"], type=_choice(Strength), help="How far from the picture."),
    ),
    follow_up(
        "confirm",
        Bridge.confirm,
        _lines(
            "Answer the task REF, which needs input.",
            "Such a task is left by `mjbridge inpaint`, and by remix at some vendors.",
        ),
        _words("What it shall show (default: what the parent task shows)."),
        _picture("--mask", help="White is painted anew, black is kept."),
    ),
    follow_up(
        "extend",
        Bridge.extend,
        "Continue a clip of the video REF.",
        click.Option(["--index"], type=click.IntRange(1, 4), default=1, show_default=True, help="Which clip."),
        *_clips(),
    ),
    follow_up("wait", Bridge.fetch, "Poll the task REF until it is settled.", may_leave=False),
)


def _video(config: str | None, /, source: str, account: str | None, emulate: str | None, **values: Any) -> int:
    own = {name: values.pop(name) for name in ("end_image", "prompt", "motion", "batch", "resolution")}
    of_task = {name: values.pop(name) for name in ("index", "auto")}
    if ":" in source and not inputs.is_address(source) and not inputs.is_content(source) and not Path(source).exists():
        if account or emulate:
            raise click.UsageError("a video of a task is made by its account, and has no --account or --emulate")
        return with_bridge(
            open_owner(config, source),
            lambda bridge, left: bridge.animate(source, timeout=left, **of_task, **own),
            **values,
        )
    if any(of_task.values()):
        raise click.UsageError("--index and --auto are of a task's grid, and SOURCE is a picture")
    picture, route = PICTURE.convert(source, None, None), chosen_route(account, emulate)
    return with_bridge(
        open_bridge(config, route),
        lambda bridge, left: bridge.video(picture, route=route, timeout=left, **own),
        **values,
    )


VIDEO: Final = click.Command(
    "video",
    callback=click.pass_obj(_video),
    help=_lines(
        "Make clips that begin with SOURCE.",
        "SOURCE is a file, a URL, or the REF of a task: then --account and --emulate are refused. For example:",
        'mjbridge video harbour.png --prompt "the boats leave" --download out',
    ),
    params=[
        click.Argument(["source"], metavar="SOURCE"),
        click.Option(["--index"], type=click.IntRange(1, 4), help="Which picture, where the task is a grid."),
        click.Option(["--auto"], is_flag=True, help="Of a grid: Midjourney chooses what happens."),
        click.Option(["--end", "end_image"], metavar="PICTURE", type=PICTURE, help="What it shall end with."),
        *_longer_clips(),
        *route_options(),
        *task_options(),
    ],
)


@click.command()
@click.argument("image", metavar="PICTURE", type=PICTURE)
@click.pass_obj
def upload(config: str | None, /, image: Path | str, account: str | None, emulate: str | None) -> None:
    """Give PICTURE an address at the vendor, and print it.

    PICTURE is a file or a URL.
    """
    route = chosen_route(account, emulate)
    with open_bridge(config, route) as bridge:
        click.echo(printable(bridge.upload(image, route=route)))


upload.params.extend(route_options())


@click.command()
@click.argument("ref")
@click.pass_obj
def seed(config: str | None, /, ref: str) -> None:
    """Print the seed of the task REF."""
    with open_owner(config, ref) as bridge:
        click.echo(printable(bridge.seed(ref)))


@click.command()
@click.argument("ref")
@click.option("--json", "as_json", is_flag=True, help="Print the task as one line of JSON.")
@click.pass_obj
def cancel(config: str | None, /, ref: str, *, as_json: bool) -> None:
    """End the task REF, which is on its way or waits for input."""
    with open_owner(config, ref) as bridge:
        show_task(bridge.cancel(ref), [], as_json=as_json)


@click.command()
@click.argument("ref")
@click.option("--wait", is_flag=True, help="Poll until the task is settled.")
@click.pass_obj
def fetch(config: str | None, /, ref: str, *, wait: bool, **shown: Any) -> int:
    """Show the task REF as it stands."""
    return with_bridge(
        open_owner(config, ref), lambda bridge, left: bridge.fetch(ref, timeout=left), no_wait=not wait, **shown
    )


fetch.params.extend(task_options(may_leave=False))


CLI_COMMANDS: Final = (*_OF_MIDJOURNEY, VIDEO, upload, fetch, seed, cancel)
