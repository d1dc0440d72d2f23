"""Commands that begin something new."""

from enum import StrEnum
from typing import Any, ClassVar

from mjbridge.commands import checks
from mjbridge.commands.base import Command
from mjbridge.commands.parameters import PARAMETERS, Drawing
from mjbridge.errors import InvalidCommand
from mjbridge.pictures import PICTURE, VIDEO, inputs
from mjbridge.pictures.inputs import Picture
from mjbridge.task import Action, Bot


class Dimensions(StrEnum):
    """The form of a blend: 1:1, 2:3 and 3:2."""

    SQUARE = "square"
    PORTRAIT = "portrait"
    LANDSCAPE = "landscape"


class Motion(StrEnum):
    """How much moves in a video."""

    LOW = "low"
    HIGH = "high"


_BLENDED = range(2, 6)
_RESOLUTIONS = (480, 720)
_BATCHES = (1, 2, 4)


class Imagine(Drawing, frozen=True):
    """A new grid of four pictures from a prompt, and `images` that it is to look at."""

    action: ClassVar[str] = Action.IMAGINE.value
    pictures: ClassVar[tuple[str, ...]] = ("images", *Drawing.pictures)
    several: ClassVar[tuple[str, ...]] = ("images", *Drawing.several)
    images: tuple[Picture, ...] = ()


class Blend(Command, frozen=True):
    """A new grid from two to five pictures, without words: in one of three `Dimensions`, or in any `aspect`."""

    action: ClassVar[str] = Action.BLEND.value
    pictures: ClassVar[tuple[str, ...]] = ("images",)
    several: ClassVar[tuple[str, ...]] = ("images",)
    images: tuple[Picture, ...]
    dimensions: str | None = None
    aspect: str | None = None
    bot: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.images) not in _BLENDED:
            raise InvalidCommand(f"images has {len(self.images)}; a blend has {_BLENDED[0]} to {_BLENDED[-1]}")
        checks.one_of("dimensions", self.dimensions, Dimensions)
        if self.aspect is not None:
            PARAMETERS["aspect"].check("aspect", self.aspect)
        if self.aspect and self.dimensions:
            raise InvalidCommand("aspect and dimensions exclude each other: either tells the form of the blend")
        checks.one_of("bot", self.bot, Bot)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "bot": self.bot}


class Describe(Command, frozen=True):
    """Prompts that could have made a picture: the task's `texts`."""

    action: ClassVar[str] = Action.DESCRIBE.value
    pictures: ClassVar[tuple[str, ...]] = ("image",)
    image: Picture
    bot: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.one_of("bot", self.bot, Bot)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "bot": self.bot}


class Shorten(Command, frozen=True):
    """Shorter prompts that mean the same: the task's `texts`."""

    action: ClassVar[str] = Action.SHORTEN.value
    prompt: str
    bot: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.not_empty("prompt", self.prompt)
        checks.one_of("bot", self.bot, Bot)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "prompt": self.prompt, "bot": self.bot}


class Edit(Drawing, frozen=True, kw_only=True):
    """Pictures changed as the prompt says; only where `mask` is white, if there is one.

    With `retexture` everything but the form changes: the same scene of other stuff, in another style.
    """

    action: ClassVar[str] = Action.EDIT.value
    pictures: ClassVar[tuple[str, ...]] = ("images", "mask", *Drawing.pictures)
    several: ClassVar[tuple[str, ...]] = ("images", *Drawing.several)
    images: tuple[Picture, ...]
    mask: Picture | None = None
    retexture: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.images:
            raise InvalidCommand("images is empty; an edit is of at least one picture")
        checks.yes_or_no("retexture", self.retexture)
        if self.retexture and self.mask:
            raise InvalidCommand("mask and retexture exclude each other: all of the picture is retextured")

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), **({"action": Action.RETEXTURE.value} if self.retexture else {})}


class Video(Command, frozen=True):
    """Short clips that begin with `image`, and end with `end_image` if there is one (or `loop` back to the first).

    `motion` is one of `Motion`, `resolution` is 480 or 720 lines, `batch` the number of clips: 1, 2 or 4.
    """

    action: ClassVar[str] = Action.VIDEO.value
    pictures: ClassVar[tuple[str, ...]] = ("image", "end_image")
    image: Picture
    prompt: str | None = None
    end_image: Picture | None = None
    motion: str = Motion.HIGH.value
    resolution: int | None = None
    batch: int | None = None
    loop: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_clips(self.prompt, self.motion, self.resolution, self.batch)
        checks.yes_or_no("loop", self.loop)
        if self.loop and self.end_image:
            raise InvalidCommand("loop and end_image exclude each other: a loop ends with its first picture")

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "prompt": self.prompt}


def check_clips(prompt: str | None, motion: str, resolution: int | None, batch: int | None) -> None:
    """The fields that every way to a video has."""
    if prompt is not None:
        checks.not_empty("prompt", prompt)
    checks.one_of("motion", motion, Motion)
    checks.one_of("resolution", resolution, _RESOLUTIONS)
    checks.one_of("batch", batch, _BATCHES)


class SwapFace(Command, frozen=True):
    """The face of `source` put into `target`, a picture, or into all of `video`, a clip given as pictures are."""

    action: ClassVar[str] = Action.SWAP_FACE.value
    pictures: ClassVar[tuple[str, ...]] = ("source", "target", "video")
    source: Picture
    target: Picture | None = None
    video: Picture | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.target is None) is (self.video is None):
            raise InvalidCommand("give target, a picture, or video, a clip: one of the two")

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), **({"action": Action.SWAP_VIDEO_FACE.value} if self.video else {})}

    def picture(self, name: str, given: object) -> str:
        """What was given for the picture of a field, or for the clip."""
        return inputs.as_text(name, given, VIDEO if name == "video" else PICTURE)


class Upload(Command, frozen=True):
    """Pictures given an address at the vendor. The task is completed at once, its id the first of its `image_urls`."""

    action: ClassVar[str] = Action.UPLOAD.value
    pictures: ClassVar[tuple[str, ...]] = ("images",)
    several: ClassVar[tuple[str, ...]] = ("images",)
    images: tuple[Picture, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.images:
            raise InvalidCommand("images is empty; there is nothing to upload")
