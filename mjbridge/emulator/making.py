"""What the simulated Midjourney makes of each command: a job, timed in shares of a grid's duration."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from mjbridge import fields
from mjbridge.commands import (
    Animate,
    Blend,
    ByButton,
    Command,
    Confirm,
    Describe,
    Drawing,
    Edit,
    Extend,
    Imagine,
    Press,
    Remix,
    Shorten,
    SwapFace,
    Upload,
    Video,
)
from mjbridge.emulator.jobs import Job
from mjbridge.errors import InvalidCommand
from mjbridge.pictures import inputs
from mjbridge.task import Action, Status, Task

_SINGLE: Final = 1 / 3
_TEXT: Final = 1 / 6
_FILMED: Final[Mapping[str, Any]] = {"drawn": False, "duration": 1}

# These open a dialog; the others do where remixing is asked for.
_DIALOGS: Final = ("inpaint", "customzoom")
_REMIXED: Final = ("variation", "reroll", "pan_")

_SUBJECTS: Final = ("a lighthouse on a cliff", "a harbour at dawn", "an orchard in the rain", "a city of glass")
_MANNERS: Final = ("soft light, watercolour", "bold colours, poster", "fine lines, engraving", "grain, analogue film")
_SHORTER: Final = (0.8, 0.6, 0.45, 0.3, 0.2)


class Parent(msgspec.Struct, frozen=True):
    """The job that a follow-up is about, and its task as it stands."""

    job: Job
    task: Task


def make(command: Command, parent: Parent | None) -> Job:
    """The job of an accepted command, still without id and start; `InvalidCommand` for what Midjourney would not do."""
    maker = _MAKERS.get(type(command))
    if maker is not None:
        return maker(command, parent)
    if isinstance(command, ByButton) and parent is not None:
        return _press(command.press(parent.task), parent)
    raise InvalidCommand(f"the simulator does not know {type(command).__name__}")


def _draw(command: Drawing, parent: Parent | None) -> Job:
    del parent
    looked_at = [picture for name in command.pictures for picture in fields.each(getattr(command, name))]
    return _job(command, picture=command.flagged_prompt() + (f"/{_digest(looked_at)}" if looked_at else ""))


def _blend(command: Blend, parent: Parent | None) -> Job:
    del parent
    return _job(command, picture=f"blend/{_digest(command.images)}")


def _describe(command: Describe, parent: Parent | None) -> Job:
    del parent
    digest = hashlib.sha256(str(command.image).encode()).digest()
    texts = [f"{_SUBJECTS[digest[number] % 4]}, {_MANNERS[(digest[4] + number) % 4]} --ar 1:1" for number in range(4)]
    return _job(command, picture="", texts=tuple(texts), drawn=False, duration=_TEXT)


def _shorten(command: Shorten, parent: Parent | None) -> Job:
    del parent
    words = command.prompt.split()
    kept = (" ".join(words[: max(1, round(len(words) * share))]) for share in _SHORTER)
    return _job(command, picture="", texts=tuple(dict.fromkeys(kept)), drawn=False, duration=_TEXT)


def _film(command: Video, parent: Parent | None) -> Job:
    del parent
    return _job(command, picture=f"video/{_digest([command.image])}", clips=command.batch or 1, **_FILMED)


def _animate(command: Animate, parent: Parent | None) -> Job:
    before = _drawn(parent)
    tile = before.tile or command.index or 1
    return _job(command, parent, picture=f"{before.picture}/{tile}/video", clips=command.batch or 1, **_FILMED)


def _extend(command: Extend, parent: Parent | None) -> Job:
    if parent is None or parent.job.clips < command.index:
        raise InvalidCommand(f"task {command.task_id} has no video {command.index}")
    picture = f"{parent.job.picture}/extend/{command.index}"
    return _job(command, parent, picture=picture, clips=1, **_FILMED)


def _swap_face(command: SwapFace, parent: Parent | None) -> Job:
    del parent
    picture = f"swap/{_digest([command.source, command.target or command.video])}"
    if command.video:
        return _job(command, picture=picture, clips=1, **_FILMED)
    return _job(command, picture=picture, tile=1, drawn=False, duration=_SINGLE)


def _upload(command: Upload, parent: Parent | None) -> Job:
    del parent
    if any(map(inputs.is_address, command.images)):
        raise InvalidCommand("the simulator fetches no pictures: upload their content")
    contents = tuple(inputs.content(str(each), "images") for each in command.images)
    return _job(command, picture="", contents=contents, drawn=False, duration=0)


def _press(command: Press, parent: Parent | None) -> Job:
    # By its custom id alone: a label is what people say, and no vendor knows it.
    found = (each for each in (parent.task.buttons if parent else ()) if each.custom_id == command.custom_id)
    button = next(found, None)
    if parent is None or button is None:
        raise InvalidCommand(f"task {command.task_id} has no button {command.custom_id}")
    before = parent.job
    if button.action == Action.UPSCALE:
        tile = before.tile or button.index or 1
        return _job(command, parent, picture=before.picture, tile=tile, duration=_SINGLE)
    if button.action == Action.VIDEO:
        return _job(command, parent, picture=f"{before.picture}/{before.tile}/video", clips=1, **_FILMED)
    waits = button.kind in _DIALOGS or (command.remix and button.kind.startswith(_REMIXED))
    picture = f"{before.picture}/{before.tile}/{button.kind}/{button.index}"
    return _job(command, parent, picture=picture, waits=waits)


def _remix(command: Remix, parent: Parent | None) -> Job:
    return _job(command, parent, picture=f"{_drawn(parent).picture}/remix/{command.index}/{command.prompt}")


def _confirm(command: Confirm, parent: Parent | None) -> Job:
    if parent is None or parent.task.status is not Status.NEEDS_INPUT:
        raise InvalidCommand(f"task {command.task_id} does not wait for input")
    job, prompt = parent.job, command.prompt or parent.job.prompt
    if job.action == Action.CUSTOM_ZOOM and "--zoom" not in (prompt or ""):
        raise InvalidCommand("the prompt of a custom zoom says --zoom 1 to --zoom 2")
    picture = f"{job.picture}/{prompt}/{_digest([command.mask or ''])}"
    return msgspec.structs.replace(job, waits=False, prompt=prompt, picture=picture, duration=1)


_MAKERS: Final[Mapping[type[Command], Callable[[Any, Parent | None], Job]]] = {
    Imagine: _draw,
    Edit: _draw,
    Blend: _blend,
    Describe: _describe,
    Shorten: _shorten,
    Video: _film,
    Animate: _animate,
    Extend: _extend,
    SwapFace: _swap_face,
    Upload: _upload,
    Press: _press,
    Remix: _remix,
    Confirm: _confirm,
}


def _job(command: Command, parent: Parent | None = None, *, picture: str, duration: float = 1, **more: Any) -> Job:
    inherited: dict[str, Any] = {"prompt": parent.job.prompt, "bot": parent.job.bot} if parent else {}
    told = {name: value for name, value in command.promised().items() if value is not None}
    return Job(id="", created=0, duration=duration, picture=picture, **(inherited | told | more))


def _drawn(parent: Parent | None) -> Job:
    if parent is None or not parent.job.drawn:
        raise InvalidCommand("there is no picture to go on from")
    return parent.job


def _digest(pictures: Iterable[object]) -> str:
    return hashlib.sha256("\n".join(map(str, pictures)).encode()).hexdigest()
