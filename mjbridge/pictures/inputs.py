"""Pictures and clips that a caller gives: a `Path`, bytes, an http(s) address or a data URI.

A command holds a picture as text: its address, or a data URI of the type that its content shows. So a command stays
data, no provider ever reads a file, and no path is read but one that the caller gave as a `Path`.
"""

import binascii
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from mjbridge import pictures
from mjbridge.errors import InvalidCommand
from mjbridge.pictures import PICTURE, VIDEO, Kind
from mjbridge.wire import PICTURE_LIMIT, is_http

if TYPE_CHECKING:
    Picture: TypeAlias = str | bytes | Path
    """What a caller may give for a picture, or for a clip."""
else:
    Picture = str  # what a command holds, and all that msgspec ever reads or writes

_DATA: Final = "data:"
_SHOWN: Final = 60
_TYPES: Final = {
    ".png": "png",
    ".jpg": "jpeg",
    ".webp": "webp",
    ".gif": "gif",
    ".mp4": "mp4",
    ".mov": "quicktime",
    ".webm": "webm",
}


class Takes(msgspec.Struct, frozen=True):
    """In which forms a vendor takes a picture: its address, its content (base64); `limit` in bytes, `types` by name."""

    address: bool = True
    content: bool = True
    limit: int = PICTURE_LIMIT
    types: tuple[str, ...] = ("png", "jpeg", "webp", "gif")


def as_text(field: str, given: object, kind: Kind = PICTURE) -> str:
    """A picture (or clip) as a command holds it; `InvalidCommand`, naming the field, for what is no such thing."""
    if isinstance(given, Path):
        return data_uri(_read(field, given), field, kind)
    if isinstance(given, bytes):
        return data_uri(given, field, kind)
    if not isinstance(given, str):
        raise InvalidCommand(f"{field} is {type(given).__name__}, and not a Path, bytes, an http(s) URL or a data URI")
    if is_content(given):
        return data_uri(content(given, field), field, kind)
    if is_address(given):
        return given
    shown = repr(given[:_SHOWN])
    raise InvalidCommand(f"{field} is {shown}, neither an http(s) URL nor a data URI; for a file write Path({shown})")


def several(given: "Picture | Iterable[Picture]") -> "tuple[Picture, ...]":
    """The pictures that were given; one alone, which Python could take apart too, is one."""
    return (given,) if isinstance(given, str | bytes | Path) else tuple(given)


def is_address(picture: object) -> bool:
    """Whether a picture is given by its address. White space would end it in a prompt."""
    return isinstance(picture, str) and is_http(picture) and not any(map(str.isspace, picture))


def picture_type(content: bytes, kind: Kind = PICTURE) -> str | None:
    """`"png"`, `"jpeg"`, `"webp"` or `"gif"`, as in `image/png`, or a clip's type; None for what is not of the kind."""
    return _TYPES.get(pictures.told(content, kind))


def is_content(picture: object) -> bool:
    """Whether a picture is given by its content."""
    return isinstance(picture, str) and picture.startswith(_DATA)


def data_uri(picture: bytes, field: str, kind: Kind = PICTURE) -> str:
    """A picture's content as a data URI, its type told by the content; `InvalidCommand` if it is none."""
    found = picture_type(picture, kind)
    if found is None:
        raise InvalidCommand(f"{field} is no {kind.name}, by its content")
    return f"data:{kind.media}/{found};base64,{binascii.b2a_base64(picture, newline=False).decode()}"


def content(uri: str, field: str) -> bytes:
    """The bytes in a data URI."""
    head, comma, body = uri.partition(",")
    try:
        if comma and head.endswith(";base64"):
            return binascii.a2b_base64(body, strict_mode=True)
    except ValueError:
        pass
    raise InvalidCommand(f"{field} is a data URI, but not one in base64")


def check(picture: str, takes: Takes, field: str) -> None:
    """`InvalidCommand` for content of a type or size that the vendor does not take. It checks addresses itself."""
    if is_address(picture):
        return
    found = content(picture, field)
    kind = picture_type(found) or picture_type(found, VIDEO) or "unknown"
    if kind not in takes.types:
        raise InvalidCommand(f"{field} is {kind}; the vendor takes {', '.join(takes.types)}")
    if len(found) > takes.limit:
        raise InvalidCommand(f"{field} has {len(found)} bytes; the vendor takes {takes.limit} at most")


def _read(field: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(PICTURE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidCommand(f"{field}: {path} cannot be read: {reason}") from None
    if len(found) > PICTURE_LIMIT:
        raise InvalidCommand(f"{field}: {path} has more than {PICTURE_LIMIT} bytes")
    return found
