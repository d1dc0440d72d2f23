"""OctopusX's accent of the MJ-proxy dialect.

Source: https://docs.octopusx.ai/en/images/midjourney/submit and https://docs.octopusx.ai/en/images/midjourney/query.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from mjbridge import Bot, Certainty, Command, Imagine, Match
from mjbridge.provider import NO_MATCH, Signs
from mjbridge_mjproxy.client import FamilyProvider
from mjbridge_mjproxy.records import KEYS, NO_TEXT, NO_TIME, Form

_HOST: Final = "https://octopusx.ai"
_MODES: Final = ("relax", "fast")


class OctopusXOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`mode`: the speed of an imagine that names none, for the vendor wants one."""

    mode: Literal["relax", "fast"] = "relax"


class OctopusX(FamilyProvider):
    """The speed is `mode` in the body of imagine; empty values are `""`, 0, null and [] side by side."""

    name = "octopusx"
    base_url = _HOST
    signs = Signs(links=(f"{_HOST}/",))
    Options = OctopusXOptions
    form = Form(KEYS | {"imageUrls"}, {**NO_TEXT, **NO_TIME, "imageUrls": []})

    def place_bot(self, body: dict[str, Any], bot: str) -> None:
        """Imagine has no `botType`; Midjourney itself is what it draws with."""
        del body
        if bot != Bot.MIDJOURNEY:
            raise self.unsupported("bot on Imagine", "write --niji in the prompt")

    def place_speed(self, path: str, body: dict[str, Any], command: Command) -> str:
        """`mode`, which imagine must have; TURBO is not among its values."""
        if not isinstance(command, Imagine):
            return super().place_speed(path, body, command)
        speed = command.speed or self.options.mode
        if speed not in _MODES:
            raise self.unsupported(f"speed {speed}", f"it has {' and '.join(_MODES)}")
        body["mode"] = speed.upper()
        return path

    def matches(self, record: Mapping[str, Any]) -> Match:
        """Its image proxy's address gives a record away."""
        if str(record.get("imageUrl", "")).startswith(self.signs.links):
            return Match(Certainty.CERTAIN, f"imageUrl is a link of {_HOST}")
        return NO_MATCH
