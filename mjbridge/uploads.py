"""A command's pictures in the form that its vendor takes: an address is read, content is uploaded, as need be."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from mjbridge.commands import Command
from mjbridge.errors import InvalidCommand, MJBridgeError
from mjbridge.pictures import inputs
from mjbridge.pictures.inputs import Takes
from mjbridge.wire import PICTURE_LIMIT, Flow, HttpRequest

AnyOne = TypeVar("AnyOne", bound=Command)

ANY: Final = Takes()
ADDRESS: Final = Takes(content=False)
CONTENT: Final = Takes(address=False)
CLIP: Final = Takes(types=("mp4", "quicktime", "webm"))

# What stands in a prompt is an address.
_USUAL: Final[Mapping[str, Takes]] = {
    "character_reference": ADDRESS,
    "style_reference": ADDRESS,
    "omni_reference": ADDRESS,
}

Upload = Callable[[str, str], Flow[str]]
"""From a picture's content and the name of its field to its address at the vendor."""


def convert(command: AnyOne, takes: Mapping[str, Takes], upload: Upload) -> Flow[AnyOne]:
    """The command with every picture in a form that the vendor takes; `takes` is by `Command.field`."""
    changes: dict[str, Any] = {}
    for field in command.pictures:
        rule = takes.get(f"{type(command).__name__}.{field}") or _USUAL.get(field, ANY)
        held = getattr(command, field)
        if isinstance(held, str):
            changes[field] = yield from _convert(held, rule, upload, field)
        elif held:
            changes[field] = yield from _convert_each(held, rule, upload, field)
    return msgspec.structs.replace(command, **changes) if changes else command


def _convert_each(held: tuple[str, ...], rule: Takes, upload: Upload, field: str) -> Flow[tuple[str, ...]]:
    made: tuple[str, ...] = ()
    for picture in held:
        made = (*made, (yield from _convert(picture, rule, upload, field)))
    return made


def _convert(picture: str, rule: Takes, upload: Upload, field: str) -> Flow[str]:
    if inputs.is_address(picture):
        return picture if rule.address else (yield from read(picture, rule, field))
    if not inputs.is_content(picture):
        return picture  # a code of Midjourney's
    inputs.check(picture, rule, field)
    return picture if rule.content else (yield from upload(picture, field))


def read(address: str, rule: Takes, field: str) -> Flow[str]:
    """The content behind a picture's public address, as a data URI. No key goes there."""
    try:
        reply = yield HttpRequest("GET", address, limit=PICTURE_LIMIT)
    except MJBridgeError as error:
        host = urlsplit(address).hostname
        raise InvalidCommand(f"{field}: the picture at {host} cannot be read: {error.message}") from None
    picture = inputs.data_uri(reply.body, field)
    inputs.check(picture, rule, field)
    return picture
