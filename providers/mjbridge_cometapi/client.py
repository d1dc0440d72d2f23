"""CometAPI's accent of the MJ-proxy dialect.

Source: https://apidoc.cometapi.com/api/image/midjourney/ (imagine, action, task-fetching-api) and
https://apidoc.cometapi.com/errors/error-codes-handling.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import msgspec

from mjbridge import Certainty, Command, Imagine, InvalidCommand, Match
from mjbridge.provider import NO_MATCH, Refusal, Signs
from mjbridge_mjproxy.client import REFUSALS, FamilyProvider
from mjbridge_mjproxy.records import KEYS, NO_TEXT, NO_TIME, Form

_HOST: Final = "https://api.cometapi.com"


class CometAPIOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`speed`: where it goes. The reference has `accountFilter`, on imagine alone; the model pages a path prefix."""

    speed: Literal["account_filter", "path"] = "account_filter"


class CometAPI(FamilyProvider):
    """`imageUrl` is CometAPI's own proxy link; the `image_urls` beside it point at storage and expire."""

    name = "cometapi"
    base_url = _HOST
    signs = Signs(links=(f"{_HOST}/",))
    Options = CometAPIOptions
    # 500 with this code is a bad request: https://apidoc.cometapi.com/errors/error-codes-handling
    refusals: ClassVar = {
        **REFUSALS,
        "invalid_request": Refusal(InvalidCommand, "the request is wrong, also at HTTP 500"),
    }
    seed_path = None
    form = Form(
        KEYS | {"customId", "botType", "image_urls", "properties"},
        {**NO_TEXT, **NO_TIME, "customId": "", "botType": "", "image_urls": []},
        proxied=True,
    )

    def place_speed(self, path: str, body: dict[str, Any], command: Command) -> str:
        """`accountFilter.modes` on imagine, or `/mj-fast` and `/mj-turbo` before any submit."""
        if command.speed is None:
            return path
        if self.options.speed == "path":
            return f"/mj-{command.speed}{path}"
        if not isinstance(command, Imagine):
            raise self.unsupported(f"speed on {type(command).__name__}", 'the account\'s option speed = "path" has it')
        body["accountFilter"] = {"modes": [command.speed.upper()]}
        return path

    def matches(self, record: Mapping[str, Any]) -> Match:
        """Its proxy link gives a record away."""
        if str(record.get("imageUrl", "")).startswith(self.signs.links):
            return Match(Certainty.CERTAIN, f"imageUrl is a proxy link of {_HOST}")
        return NO_MATCH
