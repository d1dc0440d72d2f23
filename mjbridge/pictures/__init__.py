"""What a picture or clip is told by, and a grid cut into its four singles (Pillow, extra `pictures`)."""

import io
import re
from typing import TYPE_CHECKING, Final

import msgspec

from mjbridge.errors import ConfigError, MalformedReply
from mjbridge.wire import PICTURE_LIMIT, VIDEO_LIMIT

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST_SIGNATURE: Final = 12
"""Bytes from which a file's kind can be told."""
_MOST_PIXELS: Final = 64 * 2**20


class Kind(msgspec.Struct, frozen=True):
    """A kind of file that a vendor makes: its formats, told by their first bytes, and its most bytes."""

    name: str
    media: str
    signatures: tuple[tuple[re.Pattern[bytes], str], ...]
    limit: int


PICTURE: Final = Kind(
    "PNG, JPEG, WebP or GIF picture",
    "image",
    (
        (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
        (re.compile(rb"\xff\xd8\xff"), ".jpg"),
        (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
        (re.compile(rb"GIF8[79]a"), ".gif"),
    ),
    PICTURE_LIMIT,
)
VIDEO: Final = Kind(
    "MP4, MOV or WebM video",
    "video",
    (
        (re.compile(rb"....ftypqt  ", re.DOTALL), ".mov"),
        (re.compile(rb"....ftyp", re.DOTALL), ".mp4"),
        (re.compile(rb"\x1aE\xdf\xa3"), ".webm"),
    ),
    VIDEO_LIMIT,
)


def told(content: bytes, kind: Kind = PICTURE) -> str:
    """The ending of a file's name, by its first bytes; `""` for what is not of the kind."""
    return next((ending for signature, ending in kind.signatures if signature.match(content)), "")


def ending(content: bytes, what: str, kind: Kind = PICTURE) -> str:
    """The ending of a file's name by its first bytes; `MalformedReply` if `what` the vendor sent is of another kind."""
    found = told(content, kind)
    if not found:
        raise MalformedReply(f"what the vendor sent for {what} is no {kind.name}")
    return found


def cut(grid: bytes) -> list[bytes]:
    """The four pictures of a grid as PNG, each half as wide and high: top left, top right, bottom left, bottom right.

    Raises `MalformedReply` for what is no picture, and `ConfigError` where Pillow is missing.
    """
    picture = read(grid)
    width, height = picture.width // 2, picture.height // 2
    if not width or not height:
        raise MalformedReply("a picture of one pixel is no grid")
    # Of an odd width or height the line in the middle belongs to nobody.
    corners = [(x, y) for y in (0, picture.height - height) for x in (0, picture.width - width)]
    return [png(picture.crop((x, y, x + width, y + height))) for x, y in corners]


def read(content: bytes) -> "Image":
    """A picture, decoded. `MalformedReply` if it cannot be or is too large, `ConfigError` where Pillow is missing."""
    try:
        from PIL import Image  # noqa: PLC0415 an extra, needed only by who looks into pictures
    except ImportError:
        raise ConfigError("looking into pictures needs Pillow: pip install 'mjbridge[pictures]'") from None
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise MalformedReply(f"the picture has more than {_MOST_PIXELS} pixels")
            return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MalformedReply(f"the picture cannot be read: {error}") from None


def png(picture: "Image") -> bytes:
    """A picture as a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
