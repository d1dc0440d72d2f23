"""CometAPI's accent of the MJ-proxy dialect.

Source: https://apidoc.cometapi.com/api/image/midjourney/ (imagine, action, modal, blend, describe, submit-video,
task-fetching-api), https://www.cometapi.com/models/midjourney/mj-turbo-shorten/ and
https://apidoc.cometapi.com/errors/error-codes-handling.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal
from urllib.parse import quote

import msgspec

from mjbridge import (
    Action,
    Blend,
    Command,
    Confirm,
    Describe,
    Edit,
    Extend,
    Flow,
    Imagine,
    InvalidCommand,
    Level,
    MJBridgeError,
    Press,
    Remix,
    Shorten,
    Speed,
    Status,
    Support,
    Task,
    Video,
)
from mjbridge.bodies import Body, Key, picture
from mjbridge.pictures.inputs import Takes
from mjbridge.provider import Refusal, Signs
from mjbridge.uploads import CONTENT
from mjbridge_mjproxy import bodies
from mjbridge_mjproxy.client import BUTTONS, BY_DIMENSIONS, NATIVE, REFUSALS, FamilyProvider
from mjbridge_mjproxy.records import KEYS, NO_TEXT, NO_TIME, Form

_log = logging.getLogger("mjbridge")

_HOST: Final = "https://api.cometapi.com"
_FILTERED: Final = (Imagine, Edit)
_FILMS: Final = (Action.VIDEO, Action.VIDEO_EXTEND)
_PATHS: Final = (Speed.FAST, Speed.TURBO)


class CometAPIOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`speed`: where it goes. `accountFilter` is the reference's, for imagine, and its clients', for edits.

    The model pages have a path, `/mj-fast` or `/mj-turbo`, before any submit.
    """

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
    supports: ClassVar[Mapping[type[Command], Support]] = {
        Imagine: NATIVE,
        Blend: BY_DIMENSIONS,
        Describe: NATIVE,
        Shorten: Support(note="only the model pages have it, on the path of a speed"),
        Edit: Support(
            note="listed by the reference; the body is its clients'", limits={"images": "1", "retexture": "not here"}
        ),
        Video: Support(limits={"end_image, resolution, batch, loop": "not here"}),
        Press: NATIVE,
        **BUTTONS,
        Remix: Support(Level.EMULATED, "the button of the variation, with enableRemix; confirm the prompt"),
        Extend: Support(note="with the link of the video's own picture, for the page requires one"),
        Confirm: NATIVE,
    }
    bodies: Sequence[Body] = (
        bodies.IMAGINE,
        bodies.PRESS,
        Body(
            kind=Confirm,
            path="/mj/submit/modal",
            keys={**bodies.TASK, "prompt": Key("prompt"), "mask": picture("maskBase64")},
        ),
        bodies.BLEND,
        bodies.DESCRIBE_LINK,
        bodies.DESCRIBE,
        Body(kind=Shorten, path="/mj/submit/shorten", keys={"prompt": Key("prompt")}),
        bodies.EDIT,
        bodies.EXTEND,
        Body(
            kind=Video,
            path="/mj/submit/video",
            keys={"image": picture("image"), **bodies.CLIPS, **bodies.STATE},
        ),
    )
    takes: Mapping[str, Takes] = {"Blend.images": CONTENT, "Confirm.mask": CONTENT}
    lacks: ClassVar[Mapping[str, str]] = {
        **FamilyProvider.lacks,
        "SwapFace": "no page of its has it; edit the picture instead",
        "Upload": "it hosts no pictures: give their content, or addresses of your own",
        "Cancel": "no page of its has it; a task that waits for input may be left alone",
        "speed": 'the account\'s option speed = "path" has fast and turbo',
    }
    form = Form(
        KEYS | {"customId", "botType", "image_urls", "properties"},
        {**NO_TEXT, **NO_TIME, "customId": "", "botType": "", "image_urls": []},
        proxied=True,
    )

    def written(self, command: Command) -> tuple[str, dict[str, Any]]:
        """An extension has a picture too: "image" is required, though what goes on is a clip."""
        path, body = super().written(command)
        if isinstance(command, Extend):
            body["image"] = f"{_HOST}/mj/image/{quote(command.task_id, safe='')}"
        return path, body

    def fetch_many(self, task_ids: Sequence[str]) -> Flow[list[Task]]:
        """The list's items have no `videoUrl`, which the page of a single task has: a finished video is read there.

        One that cannot be read there keeps no other back. It is `processing`, so that who waits asks again.
        """
        tasks = yield from super().fetch_many(task_ids)
        # What was asked for, and each once: what else stands in the list, and how often, is the vendor's to say.
        wanted = set(task_ids)
        for place, task in enumerate(tasks):
            finished = task.status is Status.COMPLETED and task.action in _FILMS
            if finished and not task.video_urls and task.id in wanted:
                wanted.remove(task.id)
                try:
                    tasks[place] = yield from self.fetch(task.id)
                except MJBridgeError as error:
                    # Not its words: they may echo the key, and are made fit to be seen only on their way to the caller.
                    _log.warning("the clip of video %s could not be read: %s", task.id, type(error).__name__)
                    tasks[place] = msgspec.structs.replace(task, status=Status.PROCESSING)
        return tasks

    def place_speed(self, path: str, body: dict[str, Any], command: Command) -> str:
        """`accountFilter.modes` or a path, as the option says; shorten has only a path, of which one is turbo's."""
        speed = command.speed or (Speed.TURBO if isinstance(command, Shorten) else None)
        if speed is None:
            return path
        if self.options.speed == "path" or isinstance(command, Shorten):
            if speed not in _PATHS:
                raise self.unsupported(f"path for speed {speed}", "its model pages have mj-fast and mj-turbo")
            return f"/mj-{speed}{path}"
        if not isinstance(command, _FILTERED):
            raise self.unsupported(*self.lack(command, "speed"))
        body["accountFilter"] = {"modes": [speed.upper()]}
        return path
