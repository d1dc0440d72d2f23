"""The generic dialect: an installation of one's own, or a relay that speaks it; how they differ are options."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeGuard

import msgspec

from mjbridge import (
    Animate,
    Blend,
    Cancel,
    Command,
    Confirm,
    Describe,
    Edit,
    Extend,
    Flow,
    HttpRequest,
    Imagine,
    Level,
    Match,
    Press,
    Remix,
    Shorten,
    Support,
    SwapFace,
    Task,
    Upload,
    Video,
)
from mjbridge.commands import ByButton
from mjbridge.doubts import OnDoubt
from mjbridge.provider import Recognizer, Signs
from mjbridge_mjproxy import bodies, forms, records, rows
from mjbridge_mjproxy.client import BUTTONS, BY_DIMENSIONS, NATIVE, NO_CONTENT, FamilyProvider, path_of
from mjbridge_mjproxy.records import Form


class MJProxyOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What differs between installations.

    `auth`: the header that carries the key: `bearer` for hosted relays; `mj-api-secret` for installations of novicezk,
    midjourney-proxy-plus, one-hub or trueai (to which `Bearer` is a part of the key); new-api reads both.
    `speed`: where the speed goes; `none` refuses it.
    `follow_ups`: `buttons` presses the parent's own buttons (midjourney-proxy-plus, trueai, new-api), `change` names
    the action and the index (novicezk, whose tasks have no buttons).
    """

    auth: Literal["bearer", "mj-api-secret"] = "bearer"
    speed: Literal["path", "account_filter", "none"] = "path"
    follow_ups: Literal["buttons", "change"] = "buttons"


class MJProxy(FamilyProvider):
    """The generic dialect: an installation of one's own, or a relay that speaks it."""

    name = "mjproxy"
    base_url = None
    needs_key = False
    # trueai answers 204, novicezk an empty 200.
    unknown_by = frozenset({200, NO_CONTENT})
    Options = MJProxyOptions
    signs = Signs(keys=rows.TRUEAI_PROOF)
    supports: ClassVar[Mapping[type[Command], Support]] = {
        Imagine: NATIVE,
        Blend: BY_DIMENSIONS,
        Describe: NATIVE,
        Shorten: NATIVE,
        Edit: Support(note="trueai and new-api; retexture by trueai alone", limits={"images": "1"}),
        Video: Support(note="trueai and new-api"),
        SwapFace: Support(note="video by trueai alone, for users that it trusts"),
        Upload: NATIVE,
        Press: NATIVE,
        **BUTTONS,
        Remix: Support(Level.EMULATED, "the button of the variation, with trueai's enableRemix; confirm the prompt"),
        Animate: Support(Level.EMULATED, "found among the task's buttons, by trueai; new-api refuses it"),
        Extend: Support(note="trueai and new-api"),
        Confirm: NATIVE,
        Cancel: Support(note="midjourney-proxy-plus and trueai"),
    }
    lacks: ClassVar[Mapping[str, str]] = {
        **FamilyProvider.lacks,
        "Animate.end_image": "no button has one: give both pictures to Video",
    }
    form = Form(
        records.KEYS | {"customId", "botType", "mode", "parentId", "imageUrls", "videoUrls", "seed", "properties"},
        {"buttons": [], "properties": {}},
    )

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        rows = (
            *(bodies.IMAGINE, bodies.BLEND, bodies.DESCRIBE, bodies.SHORTEN, bodies.RETEXTURE, bodies.EDIT),
            *(bodies.EXTEND, bodies.VIDEO, bodies.SWAP_VIDEO_FACE, bodies.SWAP_FACE, bodies.UPLOAD),
            *(bodies.PRESS, bodies.CONFIRM),
        )
        self.bodies = rows if self.options.follow_ups == "buttons" else (*rows, *bodies.CHANGES)

    def authorize(self, request: HttpRequest, key: str) -> HttpRequest:
        """The relays' pages have a bearer token; the installations that they descend from have `mj-api-secret`."""
        if self.options.auth == "mj-api-secret":
            return request.with_header("mj-api-secret", key)
        return super().authorize(request, key)

    def submit(self, command: Command) -> Flow[Task]:
        """Cancelling is a request of its own, which makes no task: what is returned is how the task stands then."""
        if not isinstance(command, Cancel):
            return (yield from super().submit(command))
        self.refuse_fields(command, "speed", "state", way_round="a cancel names the task alone")
        yield HttpRequest("POST", path_of("/mj/task/{id}/cancel", command.task_id), json=command.extra or None)
        return (yield from self.fetch(command.task_id))

    def request(self, command: Command) -> HttpRequest:
        """A face in a video is asked for by a form."""
        request = super().request(command)
        if not isinstance(command, SwapFace) or not command.video:
            return request
        no_text = next((name for name, value in request.json.items() if not isinstance(value, str)), None)
        if no_text:
            raise self.unsupported(f"{no_text} on SwapFace of a video", "its form holds texts alone")
        return forms.written(request)

    def presses(self, command: Command) -> TypeGuard[ByButton]:
        """Only where tasks have buttons."""
        return self.options.follow_ups == "buttons" and super().presses(command)

    def place_speed(self, path: str, body: dict[str, Any], command: Command) -> str:
        """`/mj-fast/mj/...` of trueai and one-hub, or `accountFilter.modes` of midjourney-proxy-plus and trueai."""
        if command.speed is None:
            return path
        if self.options.speed == "path":
            return f"/mj-{command.speed}{path}"
        if self.options.speed == "none":
            raise self.unsupported("speed", "this account's option speed is none")
        body["accountFilter"] = {"modes": [command.speed.upper()]}
        return path

    def matches(self, record: Mapping[str, Any]) -> Match:
        """What only the family fits is read by its generic reader, and by none that builds on it."""
        return records.matches(record) if type(self) is MJProxy else super().matches(record)

    def recognizer(
        self, foreign: Signs, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None
    ) -> Recognizer | None:
        """Wire records of anybody in the family who has no signs."""
        if type(self) is not MJProxy:
            return super().recognizer(foreign, keep_raw=keep_raw, on_doubt=on_doubt)
        return records.recognizer(self.name, (), foreign, keep_raw=keep_raw, on_doubt=on_doubt)
