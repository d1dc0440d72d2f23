"""How APIMart's requests are written: a path an action, the fields in its own words.

Source: the pages of https://docs.apimart.ai/en/api-reference/images/midjourney/, named as the paths are.
"""

from collections.abc import Mapping
from typing import Any, Final

from mjbridge import (
    Animate,
    Blend,
    Bot,
    Button,
    Command,
    Confirm,
    Describe,
    Edit,
    Imagine,
    Inpaint,
    Pan,
    Press,
    Remix,
    Reroll,
    Strength,
    Upscale,
    Vary,
    Video,
    Zoom,
    fields,
)
from mjbridge.bodies import Body, Key, lone_picture, number, picture, pictures, switch, upper, whole, zero_based
from mjbridge.commands import Drawing

GENERATIONS: Final = "/v1/midjourney/generations"

SPEED: Final = {"speed": Key("speed")}
TASK: Final = {"task_id": Key("task_id")}
INDEX: Final = {"index": whole("index")}
# An upscale's speed changes nothing but, as the price list has it, the price.
_ONE_SPEED: Final = frozenset({"upscale"})

RESOLUTIONS: Final[Mapping[Any, str]] = {480: "vid_1.1_i2v_480", 720: "vid_1.1_i2v_720"}
# `end_url` makes the second pair of the first; callers of the API may also say so at once.
_LINES: Final[Mapping[str | None, int]] = {
    **fields.inverse(RESOLUTIONS),
    "vid_1.1_i2v_start_end_480": 480,
    "vid_1.1_i2v_start_end_720": 720,
}
_MOST_BLENDED: Final = 4
_ZOOMED_TWICE: Final = 2


def _listed(name: str) -> Key:
    """Addresses, which follow their flag one behind the other."""
    return Key(name, " ".join, lambda value: tuple((fields.text(value) or "").split()))


def _quality(value: float) -> str:
    return f"{value:g}"


def _is_niji(bot: str) -> bool | None:
    return True if bot == Bot.NIJI else None


def _tier(value: object) -> float | None:
    """There are two zooms: less than 2 is 1.5, and the rest is 2."""
    ratio = fields.number(value)
    return ratio if ratio is None else 1.5 if ratio < _ZOOMED_TWICE else _ZOOMED_TWICE


def _lines(value: object) -> int | str | None:
    found = fields.text(value)
    return _LINES.get(found, found)


def _bot(value: object) -> str | None:
    return Bot.NIJI.value if value is True else None


def _nothing(value: object) -> None:
    del value


# "Body value wins over the same flag hand-written in prompt", and what has no field stays a flag.
PARAMETERS: Final = {
    "aspect": Key("size"),
    # Both are `version`; `niji` beside it tells whose, and the server half asks that first.
    "version": Key("version"),
    "niji": Key("version", read=_nothing),
    "bot": Key("niji", _is_niji, _bot),
    "stylize": whole("stylize"),
    "chaos": whole("chaos"),
    "weird": whole("weird"),
    "seed": whole("seed"),
    "quality": Key("quality", _quality, fields.number),
    "style": Key("style"),
    "tile": switch("tile"),
    "raw": switch("raw"),
    "draft": switch("draft"),
    "hd": switch("hd"),
    "repeat": whole("repeat"),
    "stop": whole("stop"),
    "image_weight": number("iw"),
    "character_reference": _listed("cref"),
    "character_weight": whole("cw"),
    "style_reference": _listed("sref"),
    "style_weight": whole("sw"),
    "negative": Key("negative_prompt"),
}


PATHS_OF_KINDS: Final[Mapping[str, str]] = {
    "upsample": "upscale",
    "variation": "variation",
    "high_variation": "high-variation",
    "low_variation": "low-variation",
    "reroll": "reroll",
    "outpaint": "zoom",
    "customzoom": "zoom",
    "pan_": "pan",
    "inpaint": "inpaint",
}
"""There is no path for any button: each kind has its own. The kind begins so."""


def _speed(action: str) -> Mapping[str, Key]:
    return {} if action in _ONE_SPEED else SPEED


def _press(action: str) -> Body:
    def is_of_that_kind(command: Press) -> bool:
        kind = Button(command.custom_id).kind
        return action in (path for start, path in PATHS_OF_KINDS.items() if kind.startswith(start))

    keys = {**TASK, "custom_id": Key("custom_id"), **_speed(action)}
    return Body(kind=Press, path=f"{GENERATIONS}/{action}", keys=keys, where=is_of_that_kind)


def _few(command: Blend) -> bool:
    return len(command.images) <= _MOST_BLENDED


def _mode(auto: object) -> str:
    return "auto" if auto else "manual"


def _is_auto(mode: object) -> bool:
    return mode == "auto"


def _tells_picture(command: Animate) -> bool:
    return command.index is not None or not command.auto


def _has_ratio(command: Zoom) -> bool:
    return command.ratio is not None


def _drawing(kind: type[Drawing], path: str) -> Body:
    keys = {"prompt": Key("prompt"), "images": pictures("image_urls"), **PARAMETERS, **SPEED}
    return Body(kind=kind, path=path, keys=keys, implied={"bot": Bot.MIDJOURNEY.value})


def _follow_up(
    kind: type[Command],
    action: str,
    keys: Mapping[str, Key] = {},
    says: Mapping[str, Any] = {},
    index: int | None = None,
) -> Body:
    return Body(
        kind=kind,
        path=f"{GENERATIONS}/{action}",
        keys={**TASK, **keys, **_speed(action)},
        says=says,
        padding={} if index is None else {"index": index},
    )


_PROMPT: Final = {"prompt": Key("prompt")}
_CLIPS: Final = {
    **_PROMPT,
    "motion": Key("motion"),
    "batch": whole("batch_size"),
    "resolution": Key("video_type", RESOLUTIONS.get, _lines),
}
_STRONG: Final = {"strength": Strength.STRONG.value}
_SUBTLE: Final = {"strength": Strength.SUBTLE.value}

BODIES: Final = (
    _drawing(Imagine, GENERATIONS),
    _drawing(Imagine, f"{GENERATIONS}/imagine"),
    Body(
        kind=Blend,
        path=f"{GENERATIONS}/blend",
        keys={"images": pictures("image_urls"), "dimensions": upper("dimensions"), "aspect": Key("size"), **SPEED},
        where=_few,
    ),
    Body(kind=Describe, path=f"{GENERATIONS}/describe", keys={"image": lone_picture("image_urls"), **SPEED}),
    _drawing(Edit, f"{GENERATIONS}/edits"),
    # A custom id "skips auto-matching and wins over index when both are sent".
    *map(_press, dict.fromkeys(PATHS_OF_KINDS.values())),
    _follow_up(Upscale, "upscale", INDEX, {"kind": None}),
    _follow_up(Vary, "variation", INDEX, {"strength": None}),
    # "index still demanded", though it is "unused in matching".
    _follow_up(Vary, "high-variation", {}, {"index": None, **_STRONG}, index=1),
    _follow_up(Vary, "low-variation", {}, {"index": None, **_SUBTLE}, index=1),
    _follow_up(Reroll, "reroll"),
    Body(
        kind=Zoom,
        path=f"{GENERATIONS}/zoom",
        keys={**TASK, "ratio": Key("zoom_ratio", read=_tier), **SPEED},
        where=_has_ratio,
    ),
    _follow_up(Pan, "pan", {"direction": Key("direction")}),
    _follow_up(Inpaint, "inpaint"),
    _follow_up(Confirm, "modal", {**_PROMPT, "mask": picture("mask_url")}),
    _follow_up(Remix, "remix-strong", {**INDEX, **_PROMPT}, _STRONG),
    _follow_up(Remix, "remix-subtle", {**INDEX, **_PROMPT}, _SUBTLE),
    # Where nobody says how far it shall go, it goes as Midjourney's first button does.
    _follow_up(Remix, "remix-strong", {**INDEX, **_PROMPT}, {"strength": None}),
    # No `speed`: a video is always fast.
    Body(
        kind=Animate,
        path=f"{GENERATIONS}/video",
        keys={
            **TASK,
            "index": zero_based("index"),
            "auto": Key("animate_mode", _mode, _is_auto),
            "end_image": picture("end_url"),
            **_CLIPS,
        },
        where=_tells_picture,
    ),
    Body(
        kind=Video,
        path=f"{GENERATIONS}/video",
        keys={"image": lone_picture("image_urls"), "end_image": picture("end_url"), **_CLIPS},
    ),
)
