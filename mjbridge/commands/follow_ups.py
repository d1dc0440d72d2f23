"""Commands on a task of the same account."""

import re
from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec

from mjbridge.commands import checks
from mjbridge.commands.base import Command
from mjbridge.commands.new import Motion, check_clips
from mjbridge.errors import InvalidCommand
from mjbridge.pictures.inputs import Picture
from mjbridge.task import Action, Button, Status, Task


class Enlargement(StrEnum):
    """How a single picture is made larger: with the same details or new ones, or by an older version's factor."""

    SUBTLE = "subtle"
    CREATIVE = "creative"
    TWICE = "2x"
    FOURFOLD = "4x"


class Strength(StrEnum):
    """How far a variation goes from its picture."""

    SUBTLE = "subtle"
    STRONG = "strong"


class Direction(StrEnum):
    """Where a pan goes."""

    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"


class FollowUp(Command, frozen=True):
    """A command on a task of the same account, most of them on a completed one."""

    task_id: str

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.task_id(self.task_id)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "parent_id": self.task_id}


class Press(FollowUp, frozen=True):
    """Press one of the task's buttons, named by its `custom_id`; `remix` asks for Midjourney's dialog first."""

    custom_id: str
    remix: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.not_empty("custom_id", self.custom_id)
        checks.yes_or_no("remix", self.remix)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "action": Button(self.custom_id).action, "custom_id": self.custom_id}


class ByButton(FollowUp, frozen=True):
    """A follow-up that Midjourney shows as a button."""

    beyond_button: ClassVar[tuple[str, ...]] = ()
    """The fields that no button says."""

    def button_kind(self) -> str:
        """A pattern of that button's kind."""
        raise NotImplementedError

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "action": Button(f"MJ::JOB::{self.button_kind()}").action or self.action}

    def press(self, parent: Task) -> Press:
        """The same command as a press of the parent's own button; `InvalidCommand` if the parent has no such button."""
        kind, index = re.compile(self.button_kind()), getattr(self, "index", None)
        button = next(
            (each for each in parent.buttons if kind.fullmatch(each.kind) and index in (None, each.index)), None
        )
        if button is None:
            raise InvalidCommand(_no_button(parent, self, index))
        return self._pressing(button)

    def _pressing(self, button: Button) -> Press:
        return Press(
            task_id=self.task_id, custom_id=button.custom_id, speed=self.speed, state=self.state, extra=self.extra
        )


_ENLARGING: Final = {
    Enlargement.SUBTLE: "upsample_.*_subtle",
    Enlargement.CREATIVE: "upsample_.*_creative",
    Enlargement.TWICE: "upsample_(v5_)?2x",
    Enlargement.FOURFOLD: "upsample_(v5_)?4x",
}


class Upscale(ByButton, frozen=True):
    """One picture of a grid, by its number 1-4; or, by `kind` (an `Enlargement`), a single picture made larger."""

    action: ClassVar[str] = Action.UPSCALE.value
    index: int | None = None
    kind: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of_two(self.index, "kind", self.kind, Enlargement)

    def button_kind(self) -> str:
        """`upsample`, or Midjourney's name for the enlargement in any version."""
        return _ENLARGING[Enlargement(self.kind)] if self.kind else "upsample"


class Vary(ByButton, frozen=True):
    """A new grid of variations: of one picture of a grid, 1-4, or, with a `strength`, of a single picture."""

    index: int | None = None
    strength: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of_two(self.index, "strength", self.strength, Strength)

    def button_kind(self) -> str:
        """`variation`, or `high_variation` and `low_variation` of a single."""
        kinds = {Strength.STRONG.value: "high_variation", Strength.SUBTLE.value: "low_variation"}
        return kinds.get(self.strength or "", "variation")


class Reroll(ByButton, frozen=True):
    """A new grid from the same prompt."""

    def button_kind(self) -> str:
        """The word of Midjourney."""
        return "reroll"


ZOOMS: Final = {1.5: "75", 2: "50"}
"""The ratios that are buttons, with the percent that those name."""


class Zoom(ByButton, frozen=True):
    """More of the surroundings of a single picture: 1.5 or 2 times as much.

    With `ratio=None`, Midjourney's custom zoom: the task waits for a `Confirm` whose prompt ends in `--zoom 1.8`.
    """

    ratio: float | None = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ratio is not None and self.ratio not in list(ZOOMS):
            raise InvalidCommand(
                f"ratio is {self.ratio!r}; it must be 1.5 or 2, or None for a custom zoom, confirmed with --zoom 1 to 2"
            )

    def button_kind(self) -> str:
        """`outpaint`, whose percent tells the ratio, or `customzoom`."""
        return "customzoom" if self.ratio is None else "outpaint"

    def press(self, parent: Task) -> Press:
        """The button of that ratio."""
        if self.ratio is None:
            return super().press(parent)
        start = f"MJ::Outpaint::{ZOOMS[self.ratio]}::"
        button = next((each for each in parent.buttons if each.custom_id.startswith(start)), None)
        if button is None:
            raise InvalidCommand(_no_button(parent, self, None))
        return self._pressing(button)


class Pan(ByButton, frozen=True):
    """A single picture continued to one side, a `Direction`."""

    direction: str

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.one_of("direction", self.direction, Direction)

    def button_kind(self) -> str:
        """One kind a direction."""
        return f"pan_{self.direction}"


class Inpaint(ByButton, frozen=True):
    """A part of a single picture to be painted anew: the task waits for a `Confirm` with the mask."""

    def button_kind(self) -> str:
        """Vary (Region)."""
        return "inpaint"


class Remix(ByButton, frozen=True):
    """A variation of a grid's picture, 1-4, from another prompt.

    Where the vendor takes the prompt at once, `prompt` goes along; elsewhere the task waits for a `Confirm` with it.
    """

    beyond_button: ClassVar[tuple[str, ...]] = ("prompt", "strength")
    index: int
    prompt: str | None = None
    strength: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.in_grid(self.index)
        checks.one_of("strength", self.strength, Strength)
        if self.prompt is not None:
            checks.not_empty("prompt", self.prompt)

    def button_kind(self) -> str:
        """The variation, asked for with the dialog."""
        return "variation"

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        actions = {Strength.STRONG.value: Action.REMIX_STRONG.value, Strength.SUBTLE.value: Action.REMIX_SUBTLE.value}
        action = actions.get(self.strength or "")
        return {**super().promised(), "prompt": self.prompt, **({"action": action} if action else {})}

    def _pressing(self, button: Button) -> Press:
        return msgspec.structs.replace(super()._pressing(button), remix=True)


class Animate(ByButton, frozen=True):
    """Clips that begin with a task's picture: the single of an upscale, or picture `index` (1-4) of a grid.

    They end with `end_image` if there is one. `auto` leaves it to Midjourney what happens, in place of a `prompt`.
    """

    beyond_button: ClassVar[tuple[str, ...]] = ("prompt", "auto", "end_image", "resolution", "batch")
    action: ClassVar[str] = Action.VIDEO.value
    pictures: ClassVar[tuple[str, ...]] = ("end_image",)
    index: int | None = None
    prompt: str | None = None
    auto: bool = False
    end_image: Picture | None = None
    motion: str = Motion.HIGH.value
    resolution: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.index is not None:
            checks.in_grid(self.index)
        check_clips(self.prompt, self.motion, self.resolution, self.batch)
        checks.yes_or_no("auto", self.auto)
        if self.auto and self.prompt:
            raise InvalidCommand("auto and prompt exclude each other: either tells what happens")

    def button_kind(self) -> str:
        """One kind a motion."""
        return f"animate_{self.motion}"


class Extend(FollowUp, frozen=True):
    """A clip of a video, by its number 1-4, continued."""

    action: ClassVar[str] = Action.VIDEO.value
    index: int = 1
    prompt: str | None = None
    motion: str = Motion.HIGH.value

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.in_grid(self.index)
        check_clips(self.prompt, self.motion, None, None)


class Confirm(FollowUp, frozen=True):
    """The answer to a task that needs input: a prompt (None leaves the parent's), a mask whose white is repainted.

    The vendor goes on under the same id or under another: what is returned is the task to wait for.
    """

    action: ClassVar[str] = Action.MODAL.value
    pictures: ClassVar[tuple[str, ...]] = ("mask",)
    prompt: str | None = None
    mask: Picture | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.prompt is not None:
            checks.not_empty("prompt", self.prompt)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells; it may be the very task that waited."""
        return {**super().promised(), "parent_id": None, "prompt": self.prompt}


class Cancel(FollowUp, frozen=True):
    """The end of a task that is on its way or waits for input."""


def _one_of_two(index: int | None, name: str, word: str | None, words: type[StrEnum]) -> None:
    if (index is None) is (word is None):
        raise InvalidCommand(f"give index, for a picture of a grid, or {name}, for a single picture: one of the two")
    if index is not None:
        checks.in_grid(index)
    checks.one_of(name, word, words)


def _no_button(parent: Task, command: ByButton, index: int | None) -> str:
    if parent.status is not Status.COMPLETED:
        return f"task {parent.id} is {parent.status}, and only a completed task has buttons: wait for it first"
    wanted = command.button_kind() if index is None else f"{command.button_kind()} {index}"
    shown = ", ".join(button.label or button.emoji or button.kind for button in parent.buttons) or "none"
    is_grid = index is None and parent.button("upsample") is not None
    way_round = "; it is a grid: upscale one of its pictures first" if is_grid else ""
    return f"task {parent.id} has no button {wanted!r}; its buttons: {shown}{way_round}"
