"""The fields that the methods of a bridge take by keyword, so that editors complete them and type checkers know them.

They are those of the commands, of which each says more; a test pins that they are the same.
"""

from typing import Any, TypedDict

from mjbridge.pictures.inputs import Picture


class Common(TypedDict, total=False):
    """What every method takes but `press`, `upload` and `cancel`: see `Command`."""

    speed: str | None
    state: str | None
    extra: dict[str, Any]


class DrawingFields(Common, total=False):
    """Midjourney's parameters: see `Drawing`."""

    bot: str | None
    aspect: str | None
    version: str | None
    niji: str | None
    stylize: int | None
    chaos: int | None
    weird: int | None
    seed: int | None
    quality: float | None
    style: str | None
    tile: bool
    raw: bool
    draft: bool
    hd: bool
    repeat: int | None
    stop: int | None
    profile: str | None
    image_weight: float | None
    character_reference: tuple[Picture, ...]
    character_weight: int | None
    style_reference: tuple[Picture, ...]
    style_weight: int | None
    style_version: int | None
    omni_reference: Picture | None
    omni_weight: int | None
    negative: str | None


class ImagineFields(DrawingFields, total=False):
    """Those of `Imagine`."""

    images: tuple[Picture, ...]


class EditFields(DrawingFields, total=False):
    """Those of `Edit`."""

    mask: Picture | None
    retexture: bool


class ClipFields(Common, total=False):
    """What a new clip is told: see `Video`."""

    end_image: Picture | None
    resolution: int | None
    batch: int | None


class VideoFields(ClipFields, total=False):
    """Those of `Video`."""

    loop: bool


class AnimateFields(ClipFields, total=False):
    """Those of `Animate`."""

    auto: bool
