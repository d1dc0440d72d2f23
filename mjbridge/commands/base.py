"""The root of all commands."""

import re
import reprlib
from typing import Any, ClassVar, Final

import msgspec

from mjbridge import fields
from mjbridge.commands import checks
from mjbridge.errors import InvalidCommand
from mjbridge.pictures import inputs
from mjbridge.task import Speed

_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_shown: Final = reprlib.Repr()
_shown.maxstring = 120


def _tag(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="command", tag=_tag):
    """What a caller can ask of a vendor: one frozen struct a command, checked when it is built (`InvalidCommand`).

    `speed` picks the queue (`Speed`), `state` is a text the vendor echoes in the task,
    `extra` is merged last into the vendor's body: the way out for what mjbridge does not model.
    """

    action: ClassVar[str] = ""
    """The `Task.action` that comes of it."""
    pictures: ClassVar[tuple[str, ...]] = ()
    """The fields that hold a picture, or a tuple of them: given as `inputs.Picture`, held as text."""
    several: ClassVar[tuple[str, ...]] = ()
    """Those of them that hold a tuple; a picture alone becomes a tuple of one."""

    speed: str | None = None
    state: str | None = None
    extra: dict[str, Any] = {}

    def __post_init__(self) -> None:
        for name in self.pictures:
            texts = tuple(self.picture(name, given) for given in fields.each(getattr(self, name)))
            msgspec.structs.force_setattr(self, name, texts if name in self.several else self._one(name, texts))
        checks.one_of("speed", self.speed, Speed)
        if self.state is not None:
            checks.text("state", self.state)
        checks.mapping("extra", self.extra)

    def __repr__(self) -> str:
        # A picture's content belongs in no log.
        given = ((each.name, getattr(self, each.name), each.default) for each in msgspec.structs.fields(self))
        shown = (f"{name}={_shown.repr(value)}" for name, value, default in given if value not in (default, {}))
        return f"{type(self).__name__}({', '.join(shown)})"

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        return {"speed": self.speed, "state": self.state, "action": self.action}

    def _one(self, name: str, texts: tuple[str, ...]) -> str | None:
        """The picture of a field that holds one, None where it may be left out."""
        is_missing = not texts and any(each.required for each in msgspec.structs.fields(self) if each.name == name)
        if len(texts) > 1 or is_missing:
            raise InvalidCommand(f"{name} has {len(texts)}; it must be one picture")
        return next(iter(texts), None)

    def picture(self, name: str, given: object) -> str:
        """What was given for the picture of a field, as the command holds it."""
        return inputs.as_text(name, given)


def check_command(value: object) -> None:
    """`InvalidCommand` for what is no command."""
    if not isinstance(value, Command):
        raise InvalidCommand(f"{_shown.repr(value)} is no command, as Imagine(prompt=...) is one")
