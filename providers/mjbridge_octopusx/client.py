"""OctopusX's accent of the MJ-proxy dialect.

Source: https://docs.octopusx.ai/en/images/midjourney/submit and https://docs.octopusx.ai/en/images/midjourney/query.
Bodies that the submit page names without showing are those of QuantumNous/new-api, whose errors it documents.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

import msgspec

from mjbridge import (
    Blend,
    Bot,
    Command,
    Confirm,
    Describe,
    Extend,
    Imagine,
    Press,
    Shorten,
    Support,
    SwapFace,
    Upload,
    Video,
    fields,
)
from mjbridge.bodies import Body, Key, picture, pictures, upper
from mjbridge.pictures import inputs
from mjbridge.pictures.inputs import Takes
from mjbridge.provider import Signs
from mjbridge.uploads import ADDRESS
from mjbridge_mjproxy import bodies
from mjbridge_mjproxy.client import BUTTONS, NATIVE, FamilyProvider
from mjbridge_mjproxy.records import BOTS, KEYS, NO_TEXT, NO_TIME, Form

_HOST: Final = "https://octopusx.ai"
_MODES: Final = ("relax", "fast")
_WITH_MODE: Final = (Imagine, Blend, Video, Extend)
_BOTS: Final = {Bot.MIDJOURNEY.value: "mj", Bot.NIJI.value: "niji"}


class OctopusXOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`mode`: the speed of a command that names none, for the vendor wants one."""

    mode: Literal["relax", "fast"] = "relax"


def _address(prompt: object) -> str | None:
    """The first frame, which stands before a video's words."""
    first = (fields.text(prompt) or "").partition(" ")[0]
    return first if inputs.is_address(first) else None


def _words(prompt: object) -> str | None:
    said = fields.text(prompt) or ""
    return said.removeprefix(_address(said) or "").strip() or None


class OctopusX(FamilyProvider):
    """The speed is `mode` in the body; empty values are `""`, 0, null and [] side by side."""

    name = "octopusx"
    base_url = _HOST
    signs = Signs(links=(f"{_HOST}/",))
    Options = OctopusXOptions
    supports: ClassVar[Mapping[type[Command], Support]] = {
        Imagine: Support(limits={"speed": "relax or fast", "bot": "midjourney"}),
        Blend: Support(limits={"speed": "relax or fast", "aspect": "not here"}),
        Describe: NATIVE,
        Shorten: NATIVE,
        Video: Support(
            note="the first frame's address stands before the words",
            limits={"speed": "relax or fast", "end_image, resolution, batch, loop": "not here"},
        ),
        SwapFace: Support(limits={"video": "not here"}),
        Upload: NATIVE,
        Press: Support(note="not on its pages, which show the buttons"),
        **BUTTONS,
        Extend: Support(limits={"speed": "relax or fast"}),
        Confirm: NATIVE,
    }
    bodies: Sequence[Body] = (
        Body(
            kind=Imagine,
            path="/mj/submit/imagine",
            keys={"prompt": Key("prompt"), "images": pictures("base64Array"), **bodies.STATE},
            implied={"bot": Bot.MIDJOURNEY.value},
        ),
        Body(
            kind=Blend,
            path="/mj/submit/blend",
            keys={
                "images": pictures("base64Array"),
                "dimensions": upper("dimensions"),
                # The family's words are read as well: whether they are taken, the page does not say.
                "bot": Key("botType", _BOTS.get, lambda said: fields.word(said, BOTS) or None),
                **bodies.STATE,
            },
        ),
        Body(
            kind=Confirm,
            path="/mj/submit/modal",
            keys={**bodies.TASK, "prompt": Key("prompt"), "mask": picture("maskBase64")},
        ),
        # Bodies that are not shown: the skeleton of all submits has `state`.
        Body(kind=Describe, path="/mj/submit/describe", keys={"image": picture("base64"), **bodies.STATE}),
        Body(kind=Shorten, path="/mj/submit/shorten", keys={"prompt": Key("prompt"), **bodies.STATE}),
        bodies.SWAP_FACE,
        Body(
            kind=Extend,
            path="/mj/submit/video",
            # "Which video": counted from 0, as CometAPI's page and trueai count.
            keys={**bodies.TASK, "index": bodies.EXTEND.keys["index"], **bodies.CLIPS},
            always={"action": "extend"},
        ),
        Body(
            kind=Video,
            path="/mj/submit/video",
            keys={"prompt": Key("prompt", read=_words), "image": Key("prompt", read=_address), "motion": Key("motion")},
        ),
        bodies.UPLOAD,
        Body(
            kind=Press,
            path="/mj/submit/action",
            keys={**bodies.TASK, "custom_id": Key("customId"), **bodies.STATE},
        ),
    )
    takes: Mapping[str, Takes] = {**FamilyProvider.takes, "Video.image": ADDRESS}
    lacks: ClassVar[Mapping[str, str]] = {
        **FamilyProvider.lacks,
        "Edit": "no page of its has it; inpaint an upscaled picture instead",
        "Remix": "no page of its has it; vary the picture, or imagine it with another prompt",
        "Cancel": "no page of its has it; a task that waits for input may be left alone",
        "Imagine.bot": "write --niji in the prompt",
        "SwapFace.video": "give target, a picture",
        "Press.remix": "press without it, or imagine the picture with another prompt",
        "speed": f"only {', '.join(kind.__name__ for kind in _WITH_MODE)} have one",
    }
    form = Form(KEYS | {"imageUrls"}, {**NO_TEXT, **NO_TIME, "imageUrls": []})

    def written(self, command: Command) -> tuple[str, dict[str, Any]]:
        """A video's first frame and words are one text."""
        path, body = super().written(command)
        if isinstance(command, Video):
            body["prompt"] = " ".join(filter(None, (str(command.image), command.prompt)))
        return path, body

    def place_speed(self, path: str, body: dict[str, Any], command: Command) -> str:
        """`mode`, which TURBO is not among the values of."""
        if not isinstance(command, _WITH_MODE):
            return super().place_speed(path, body, command)
        speed = command.speed or self.options.mode
        if speed not in _MODES:
            raise self.unsupported(f"speed {speed}", f"it has {' and '.join(_MODES)}")
        body["mode"] = speed.upper()
        return path
