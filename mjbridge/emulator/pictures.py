"""Pictures drawn from a text's hash: the same text is the same picture. Needs Pillow (extra `emulator`)."""

import hashlib
import random
from typing import TYPE_CHECKING, Final

from mjbridge.errors import ConfigError
from mjbridge.pictures import png

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

TILE: Final = 256
"""Pixels of a single picture's side; a grid has two by two of them."""
PREVIEW: Final = 96

# A thousand units a second, five seconds.
_FILM_TIMES: Final = (1000).to_bytes(4) + (5000).to_bytes(4)
_HILLS: Final = 3
_SHADES: Final = 256


def grid(text: str) -> bytes:
    """The grid of four, as PNG."""
    return png(_grid(text))


def single(text: str, number: int) -> bytes:
    """One picture of the grid, 1-4, cut out of it."""
    return png(_crop(text, number))


def upscaled(text: str, number: int) -> bytes:
    """One picture of the grid, 1-4, at twice its size."""
    return png(_crop(text, number).resize((2 * TILE, 2 * TILE)))


def preview(text: str) -> bytes:
    """The grid as it looks while it is made: small."""
    return png(_grid(text).resize((PREVIEW, PREVIEW)))


def clip(text: str, number: int) -> bytes:
    """A film of a video, 1-4: an MP4 file of one still, which is what makes it different from the others."""
    return b"".join(
        [
            _box(b"ftyp", b"isom" + bytes(4) + b"isommp42"),
            _box(b"moov", _box(b"mvhd", bytes(12) + _FILM_TIMES + bytes(80))),
            _box(b"mdat", single(text, number)),
        ]
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


def _grid(text: str) -> "Image":
    try:
        from PIL import Image  # noqa: PLC0415 an extra, needed only by who looks at the pictures
    except ImportError:
        raise ConfigError("the emulator draws with Pillow: install mjbridge[emulator]") from None
    sheet = Image.new("RGB", (2 * TILE, 2 * TILE))
    for number in range(4):
        sheet.paste(_landscape(f"{text}#{number}"), (number % 2 * TILE, number // 2 * TILE))
    return sheet


def _crop(text: str, number: int) -> "Image":
    left, top = (number - 1) % 2 * TILE, (number - 1) // 2 * TILE
    return _grid(text).crop((left, top, left + TILE, top + TILE))


def _landscape(text: str) -> "Image":
    """A sky, a sun and hills."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 an extra, and `_grid` has said so if it is missing

    dice = random.Random(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())  # noqa: S311 a picture, no secret
    picture = Image.new("RGB", (TILE, TILE))
    pen = ImageDraw.Draw(picture)
    zenith, horizon, ground = (tuple(dice.randrange(_SHADES) for _ in range(3)) for _ in range(3))
    for row in range(TILE):
        pen.line((0, row, TILE, row), fill=_between(zenith, horizon, row / TILE))
    x, y, radius = dice.randrange(TILE), dice.randrange(TILE // 2), dice.randrange(TILE // 16, TILE // 6)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_between(horizon, (255, 240, 200), 0.7))
    for hill in range(1, _HILLS + 1):
        _draw_hill(pen, dice, hill, _between(horizon, ground, hill / _HILLS))
    return picture


def _draw_hill(pen: "ImageDraw", dice: random.Random, hill: int, colour: tuple[int, ...]) -> None:
    base = TILE * (3 + hill) // (4 + _HILLS)
    ridge = [(TILE * step // 8, base - dice.randrange(TILE // 6)) for step in range(9)]
    pen.polygon([(0, TILE), *ridge, (TILE, TILE)], fill=colour)


def _between(one: tuple[int, ...], other: tuple[int, ...], share: float) -> tuple[int, ...]:
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
