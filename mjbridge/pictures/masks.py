"""Masks between the one meaning they have here, white is repainted, and a vendor's. Needs Pillow (extra `pictures`)."""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mjbridge import pictures
from mjbridge.errors import InvalidCommand, MalformedReply
from mjbridge.pictures import inputs

if TYPE_CHECKING:
    from PIL.Image import Image

Repaints: TypeAlias = Literal["transparent", "white"]
"""Which pixels a vendor repaints, where the others are white or transparent in their turn."""

_OPAQUE: Final = 255


def to_vendor(mask: str, repaints: Repaints) -> str:
    """A mask of ours as the vendor means it; both are data URIs. What is transparent in ours is kept, as black is."""
    ours = _opened(mask)
    black = ours.copy()
    black.paste((0, 0, 0, _OPAQUE), (0, 0, *ours.size))
    black.alpha_composite(ours)
    white_where_repainted = black.convert("L")
    theirs = black.convert("RGB")
    theirs.paste("white", (0, 0, *theirs.size))
    theirs.putalpha(_inverted(white_where_repainted) if repaints == "transparent" else white_where_repainted)
    return inputs.data_uri(pictures.png(theirs), "mask")


def from_vendor(mask: str, repaints: Repaints) -> str:
    """The inverse of `to_vendor`."""
    alpha = _opened(mask).getchannel("A")
    return inputs.data_uri(pictures.png(_inverted(alpha) if repaints == "transparent" else alpha), "mask")


def _inverted(channel: "Image") -> "Image":
    return channel.point([_OPAQUE - value for value in range(_OPAQUE + 1)])


def _opened(mask: str) -> "Image":
    try:
        return pictures.read(inputs.content(mask, "mask")).convert("RGBA")
    except MalformedReply as error:
        raise InvalidCommand(f"mask: {error.message}") from None
