"""Midjourney's parameters: one table of what each is called, in a command and as a `--flag`, and what it may be.

Source: https://docs.midjourney.com/docs/parameter-list
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

import msgspec

from mjbridge import fields
from mjbridge.commands import checks
from mjbridge.commands.base import Command
from mjbridge.errors import InvalidCommand
from mjbridge.pictures.inputs import Picture
from mjbridge.task import Bot, Speed

_RATIO: Final = re.compile(r"[1-9]\d{0,3}:[1-9]\d{0,3}")
_VERSION: Final = re.compile(r"\d{1,2}(\.\d)?")
_WORD: Final = re.compile(r"[\w-]+")
_STYLE_CODE: Final = re.compile(r"(?:\d+|random)(?:::\d+)?")
# Telephones and word processors make one dash of two, which Midjourney reads all the same.
_FLAG: Final = re.compile(r"(?<!\S)(?:--|—)([A-Za-z]+)")
_QUALITIES: Final = (0.25, 0.5, 1, 2, 4)

Check = Callable[[str, Any], None]


class Parameter(msgspec.Struct, frozen=True):
    """A parameter's `--flag`, the check of its value, and the flags that say the same or exclude it."""

    flag: str
    check: Check
    others: tuple[str, ...] = ()


def _whole(lowest: int, highest: int) -> Check:
    return lambda name, value: checks.whole(name, value, lowest, highest)


def _number(lowest: float, highest: float) -> Check:
    return lambda name, value: checks.number(name, value, lowest, highest)


def _like(pattern: re.Pattern[str], example: str) -> Check:
    def check(name: str, value: object) -> None:
        if not pattern.fullmatch(checks.text(name, value)):
            raise InvalidCommand(f"{name} is {value!r}; it must be like {example!r}")

    return check


def _quality(name: str, value: object) -> None:
    checks.one_of(name, value, _QUALITIES)


def _negative(name: str, value: object) -> None:
    checks.not_empty(name, value)
    if _FLAG.search(str(value)):
        raise InvalidCommand(f"{name} is {value!r}; another parameter has a field of its own")


def _any_picture(name: str, value: object) -> None:
    del name, value  # checked when it became text


PARAMETERS: Final[dict[str, Parameter]] = {
    "aspect": Parameter("ar", _like(_RATIO, "16:9"), ("aspect",)),
    "version": Parameter("v", _like(_VERSION, "6.1"), ("version", "niji")),
    "niji": Parameter("niji", _like(_VERSION, "6"), ("v", "version")),
    "stylize": Parameter("s", _whole(0, 1000), ("stylize",)),
    "chaos": Parameter("c", _whole(0, 100), ("chaos",)),
    "weird": Parameter("w", _whole(0, 3000), ("weird",)),
    "seed": Parameter("seed", _whole(0, 2**32 - 1)),
    "quality": Parameter("q", _quality, ("quality",)),
    "style": Parameter("style", _like(_WORD, "raw")),
    "tile": Parameter("tile", checks.yes_or_no),
    "raw": Parameter("raw", checks.yes_or_no),
    "draft": Parameter("draft", checks.yes_or_no),
    "hd": Parameter("hd", checks.yes_or_no),
    "repeat": Parameter("repeat", _whole(2, 40), ("r",)),
    "stop": Parameter("stop", _whole(10, 100)),
    "profile": Parameter("p", _like(_WORD, "a1b2c3d"), ("profile", "personalize")),
    "image_weight": Parameter("iw", _number(0, 3)),
    "character_reference": Parameter("cref", _any_picture),
    "character_weight": Parameter("cw", _whole(0, 100)),
    "style_reference": Parameter("sref", _any_picture),
    "style_weight": Parameter("sw", _whole(0, 1000)),
    "style_version": Parameter("sv", _whole(1, 8)),
    "omni_reference": Parameter("oref", _any_picture),
    "omni_weight": Parameter("ow", _whole(1, 1000)),
    "negative": Parameter("no", _negative),
}
"""By the field of a command."""


class Drawing(Command, frozen=True):
    """A picture drawn from a prompt. Midjourney's parameters are fields, or `--flags` of the prompt, but never both.

    `bot` is one of `Bot`. References are pictures; `style_reference` also takes Midjourney's codes. `niji` and
    `version` are versions ("7", "6.1"), of which there can be only one.
    """

    pictures: ClassVar[tuple[str, ...]] = ("character_reference", "style_reference", "omni_reference")
    several: ClassVar[tuple[str, ...]] = ("character_reference", "style_reference")

    prompt: str
    bot: str | None = None
    aspect: str | None = None
    version: str | None = None
    niji: str | None = None
    stylize: int | None = None
    chaos: int | None = None
    weird: int | None = None
    seed: int | None = None
    quality: float | None = None
    style: str | None = None
    tile: bool = False
    raw: bool = False
    draft: bool = False
    hd: bool = False
    repeat: int | None = None
    stop: int | None = None
    profile: str | None = None
    image_weight: float | None = None
    character_reference: tuple[Picture, ...] = ()
    character_weight: int | None = None
    style_reference: tuple[Picture, ...] = ()
    style_weight: int | None = None
    style_version: int | None = None
    omni_reference: Picture | None = None
    omni_weight: int | None = None
    negative: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.not_empty("prompt", self.prompt)
        checks.one_of("bot", self.bot, Bot)
        given = {name: value for name, value in self.parameters().items() if value is not None}
        for name, value in given.items():
            PARAMETERS[name].check(name, value)
        if self.version and self.niji:
            raise InvalidCommand(f"version is {self.version} and niji is {self.niji}; there is one version")
        if self.niji and self.bot == Bot.MIDJOURNEY:
            raise InvalidCommand(
                f"bot is {self.bot} and niji is {self.niji}; who names a version of niji's has niji draw"
            )
        _not_twice(self.prompt, {**given, "speed": self.speed} if self.speed else given)

    def parameters(self) -> dict[str, Any]:
        """The parameters that were given as fields; a switch that is off, or an empty tuple, is none."""
        every = {name: getattr(self, name) for name in PARAMETERS}
        return {name: value for name, value in every.items() if value not in (None, ()) and value is not False}

    def flags(self, names: Iterable[str] | None = None) -> str:
        """Those parameters (all of them without `names`) as `--flags`."""
        given = self.parameters()
        return " ".join(_flag(name, given[name]) for name in (given if names is None else names) if name in given)

    def flagged_prompt(self) -> str:
        """The prompt with all parameters in it, as Midjourney itself would be told."""
        return " ".join(filter(None, (self.prompt, self.flags())))

    def promised(self) -> dict[str, Any]:
        """The fields of the task to come that the command already tells."""
        bot = Bot.NIJI.value if self.niji else self.bot
        return {**super().promised(), "prompt": self.flagged_prompt(), "bot": bot}

    def picture(self, name: str, given: object) -> str:
        """A picture, or a code of Midjourney's where a style may be one."""
        is_code = name == "style_reference" and isinstance(given, str) and _STYLE_CODE.fullmatch(given)
        return given if is_code and isinstance(given, str) else super().picture(name, given)


def _flag(name: str, value: object) -> str:
    flag = f"--{PARAMETERS[name].flag}"
    return flag if value is True else " ".join([flag, *map(_written, fields.each(value))])


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _not_twice(prompt: str, given: dict[str, Any]) -> None:
    written = {word.lower() for word in _FLAG.findall(prompt)}
    for name, value in given.items():
        flags = tuple(Speed) if name == "speed" else (PARAMETERS[name].flag, *PARAMETERS[name].others)
        twice = next((flag for flag in flags if flag in written), None)
        if twice:
            raise InvalidCommand(f"{name} is {value!r}, and the prompt says --{twice}: give it once")
