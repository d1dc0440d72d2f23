"""How the MJ-proxy family writes its requests: the rows of its dialects, which differ by data.

Sources: docs/api.md of litter-coder/midjourney-proxy-plus, SubmitController and InsightFaceController of
trueai-org/midjourney-proxy, docs/api/midjourney-proxy-image.md of zeta-techs/new-api-docs, and what
Dooy/chatgpt-web-midjourney-proxy sends to all of them.
"""

from collections.abc import Mapping
from typing import Any, Final

from mjbridge import (
    Blend,
    Confirm,
    Describe,
    Edit,
    Extend,
    Imagine,
    Press,
    Reroll,
    Shorten,
    SwapFace,
    Upload,
    Upscale,
    Vary,
    Video,
)
from mjbridge.bodies import (
    Body,
    Key,
    first_picture,
    number,
    picture,
    pictures,
    switch,
    upper,
    whole,
    word,
    zero_based,
)
from mjbridge.pictures import inputs
from mjbridge_mjproxy.records import BOT_WORDS

TASK: Final = {"task_id": Key("taskId")}
STATE: Final = {"state": Key("state")}
BOT: Final = {"bot": word("botType", BOT_WORDS)}
CLIPS: Final = {"prompt": Key("prompt"), "motion": Key("motion")}
# trueai's VideoType: the first frame's size is in the model's name.
RESOLUTIONS: Final[Mapping[Any, str]] = {480: "vid_1.1_i2v_480", 720: "vid_1.1_i2v_720"}


def _one_picture(command: Edit) -> bool:
    return len(command.images) == 1


def _has_video(command: SwapFace) -> bool:
    return command.video is not None


def _by_address(command: Describe) -> bool:
    return inputs.is_address(command.image)


IMAGINE: Final = Body(
    kind=Imagine,
    path="/mj/submit/imagine",
    keys={"prompt": Key("prompt"), "images": pictures("base64Array"), **BOT, **STATE},
)
PRESS: Final = Body(
    kind=Press,
    path="/mj/submit/action",
    keys={**TASK, "custom_id": Key("customId"), "remix": switch("enableRemix"), **STATE},
)
CONFIRM: Final = Body(
    kind=Confirm,
    path="/mj/submit/modal",
    keys={**TASK, "prompt": Key("prompt"), "mask": picture("maskBase64"), **STATE},
)
BLEND: Final = Body(
    kind=Blend,
    path="/mj/submit/blend",
    keys={"images": pictures("base64Array"), "dimensions": upper("dimensions"), **BOT, **STATE},
)
DESCRIBE: Final = Body(kind=Describe, path="/mj/submit/describe", keys={"image": picture("base64"), **BOT, **STATE})
# trueai and CometAPI take an address as well.
DESCRIBE_LINK: Final = Body(
    kind=Describe,
    path="/mj/submit/describe",
    keys={"image": picture("link"), **BOT, **STATE},
    where=_by_address,
)
SHORTEN: Final = Body(kind=Shorten, path="/mj/submit/shorten", keys={"prompt": Key("prompt"), **BOT, **STATE})
EDIT: Final = Body(
    kind=Edit,
    path="/mj/submit/edits",
    keys={
        "prompt": Key("prompt"),
        "images": first_picture("image"),
        "mask": picture("maskBase64"),
        **BOT,
        **STATE,
    },
    where=_one_picture,
)
# trueai's, which takes the same body: before EDIT, which does not say it.
RETEXTURE: Final = Body(
    kind=Edit,
    path="/mj/submit/retexture",
    keys={name: key for name, key in EDIT.keys.items() if name != "mask"},
    says={"retexture": True},
    where=_one_picture,
)
EXTEND: Final = Body(
    kind=Extend,
    path="/mj/submit/video",
    keys={**TASK, "index": zero_based("index"), **CLIPS, **STATE},
    always={"action": "extend"},
)
VIDEO: Final = Body(
    kind=Video,
    path="/mj/submit/video",
    keys={
        "image": picture("image"),
        **CLIPS,
        "end_image": picture("endImage"),
        "resolution": word("videoType", RESOLUTIONS),
        "batch": number("batchSize"),
        "loop": switch("loop"),
        **STATE,
    },
)
SWAP_FACE: Final = Body(
    kind=SwapFace,
    path="/mj/insight-face/swap",
    keys={"source": picture("sourceBase64"), "target": picture("targetBase64"), **STATE},
)
# trueai's, which goes as a form: see `forms`.
SWAP_VIDEO_FACE: Final = Body(
    kind=SwapFace,
    path="/mj/insight-face/video-swap",
    keys={"source": picture("sourceBase64"), "video": picture("targetUrl"), **STATE},
    where=_has_video,
)
UPLOAD: Final = Body(
    kind=Upload, path="/mj/submit/upload-discord-images", keys={"images": pictures("base64Array"), **STATE}
)

# novicezk's way, whose tasks have no buttons: the action by its name, the picture by its number.
CHANGES: Final = tuple(
    Body(
        kind=kind,
        path="/mj/submit/change",
        keys={**TASK, **({"index": whole("index")} if kind is not Reroll else {}), **STATE},
        always={"action": action},
        says=says,
    )
    for kind, action, says in (
        (Upscale, "UPSCALE", {"kind": None}),
        (Vary, "VARIATION", {"strength": None}),
        (Reroll, "REROLL", {}),
    )
)
