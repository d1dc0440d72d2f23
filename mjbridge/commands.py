"""What a caller can ask of a vendor: one frozen struct a command, checked when it is built."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from mjbridge.errors import InvalidCommand
from mjbridge.task import Action, Bot, Button, Speed, Status, Task

GRID = range(1, 5)
"""The pictures of a grid: 1 top left, 2 top right, 3 bottom left, 4 bottom right."""


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="command", tag=str.lower):
    """The root of all commands. Those with a picture's or task's number raise `InvalidCommand` outside its range.

    `speed` picks the queue (`Speed`), `state` is a text the vendor echoes in the task,
    `extra` is merged last into the vendor's body: the way out for what mjbridge does not model.
    """

    speed: str | None = None
    state: str | None = None
    extra: dict[str, Any] = {}

    def __post_init__(self) -> None:
        _one_of("speed", self.speed, Speed)
        if self.state is not None:
            _check_text("state", self.state)
        _check_mapping("extra", self.extra)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {"speed": self.speed, "state": self.state}


class Imagine(Command, frozen=True):
    """A new grid of four pictures from a prompt, Midjourney's `--flags` included. `bot` is one of `Bot`."""

    prompt: str
    bot: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _not_empty("prompt", self.prompt)
        _one_of("bot", self.bot, Bot)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "action": Action.IMAGINE.value, "prompt": self.prompt, "bot": self.bot}


class FollowUp(Command, frozen=True):
    """A command on a finished task of the same account."""

    task_id: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_task_id(self.task_id)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "parent_id": self.task_id}


class Press(FollowUp, frozen=True):
    """Press one of the task's buttons, named by its `custom_id`."""

    custom_id: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _not_empty("custom_id", self.custom_id)

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        button = Button(self.custom_id)
        return {**super().promised(), "action": button.action, "custom_id": self.custom_id}


class ByButton(FollowUp, frozen=True):
    """A follow-up that Midjourney shows as a button. `button_kind` is the kind in that button's custom id."""

    button_kind: ClassVar[str] = ""
    action: ClassVar[Action] = Action.ACTION

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {**super().promised(), "action": self.action.value}

    def press(self, parent: Task) -> Press:
        """The same command as a press of the parent's own button; `InvalidCommand` if the parent has no such button."""
        index: int | None = getattr(self, "index", None)
        button = parent.button(self.button_kind, index)
        if button is None:
            raise InvalidCommand(_no_button(parent, self.button_kind, index))
        return Press(
            task_id=self.task_id, custom_id=button.custom_id, speed=self.speed, state=self.state, extra=self.extra
        )


class Upscale(ByButton, frozen=True):
    """One picture of a grid, by its number 1-4."""

    button_kind: ClassVar[str] = "upsample"
    action: ClassVar[Action] = Action.UPSCALE
    index: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _in_grid(self.index)


class Vary(ByButton, frozen=True):
    """A new grid of variations of one picture of a grid, by its number 1-4."""

    button_kind: ClassVar[str] = "variation"
    action: ClassVar[Action] = Action.VARIATION
    index: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _in_grid(self.index)


class Reroll(ByButton, frozen=True):
    """A new grid from the same prompt."""

    button_kind: ClassVar[str] = "reroll"
    action: ClassVar[Action] = Action.REROLL


COMMANDS: Final[tuple[type[Command], ...]] = (Imagine, Press, Upscale, Vary, Reroll)
"""The vocabulary."""


def _no_button(parent: Task, kind: str, index: int | None) -> str:
    wanted = kind if index is None else f"{kind} {index}"
    if parent.status is not Status.COMPLETED:
        return f"task {parent.id} is {parent.status}, and only a completed task has buttons: wait for it first"
    shown = ", ".join(button.label or button.emoji or button.kind for button in parent.buttons) or "none"
    return f"task {parent.id} has no button {wanted!r}; its buttons: {shown}"


def check_task_id(task_id: object) -> None:
    """Raise `InvalidCommand` for what is no task's id."""
    _not_empty("task_id", task_id)
    # A path would lead elsewhere: these two are the ids that quoting leaves as they are.
    if task_id in (".", ".."):
        raise InvalidCommand(f"task_id {task_id!r} is no task's id")


def _check_mapping(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise InvalidCommand(f"{name} is {type(value).__name__}, not a mapping")


def _check_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidCommand(f"{name} is {type(value).__name__}, not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidCommand(f"{name} holds half a character, which no vendor can be sent") from None
    return value


def _not_empty(name: str, value: object) -> None:
    if not _check_text(name, value).strip():
        raise InvalidCommand(f"{name} is empty")


def _one_of(name: str, value: str | None, words: type[Bot] | type[Speed]) -> None:
    if value is not None and value not in list(words):
        raise InvalidCommand(f"{name} is {value!r}; it must be one of {', '.join(words)}")


def _in_grid(index: int) -> None:
    if type(index) is not int or index not in GRID:
        raise InvalidCommand(f"index is {index}; a grid's pictures are numbered {GRID[0]} to {GRID[-1]}")
