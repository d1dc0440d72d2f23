"""Records made by hand, each of which shows one rule of the mapping; its id says which.

Most values have the type that the family's documents give them; the wild ones are of other types, as records have them.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

_Fields = Mapping[str, Any]

_SUBMITTED: Final = 1_740_000_000_123
_PICTURE: Final = "https://cdn.example.com/grid.png"
_SINGLES: Final = ["https://cdn.example.com/1.png", "https://cdn.example.com/2.png"]
_CLIP: Final = "https://cdn.example.com/clip.mp4"
_NUMBERED: Final = '1️⃣ a cat --ar 5:4\n\n2️⃣ a dog, "sitting"\n\n3⃣  a pig '
_SHORTENED: Final = f"## Important tokens\n**cat** (1.00)\n1️⃣ is no suggestion\n## Shortened prompts\n{_NUMBERED}"
_TIMES: Final = ("submitTime", "startTime", "finishTime")
_LISTS: Final = ("buttons", "imageUrls", "image_urls", "videoUrls")
_TEXTS: Final = (
    *("action", "customId", "botType", "prompt", "promptEn", "description", "state", "imageUrl", "status", "progress"),
    *("failReason", "videoUrl", "parentId", "mode", "seed"),
)


def _finished(**values: Any) -> _Fields:
    return {"status": "SUCCESS", "imageUrl": _PICTURE, **values}


def _button(custom_id: str | None, **values: Any) -> _Fields:
    return {"customId": custom_id, "label": "U1", "emoji": "", "type": 2, "style": 1, **values}


def _objects(*urls: str) -> list[_Fields]:
    return [{"url": url, "thumbnail": "https://cdn.example.com/small.png"} for url in urls]


_EMPTY: Final[Mapping[str, _Fields]] = {
    "only an id": {},
    "every value null": dict.fromkeys((*_TEXTS, *_TIMES, *_LISTS, "properties")),
    "every text empty": dict.fromkeys(_TEXTS, ""),
    "every list empty": {key: [] for key in _LISTS},
    "properties that are empty": {"properties": {}},
    "keys that nobody knows": {"surprise": {"status": "SUCCESS", "url": [None, 1.5]}, "progres": "50%"},
}

_STATUSES: Final[Mapping[str, _Fields]] = {
    f"status {word}": {"status": word, "imageUrl": _PICTURE}
    for word in (
        *("", "NOT_START", "SUBMITTED", "IN_PROGRESS", "MODAL", "SUCCESS", "FAILURE", "CANCEL"),
        *("success", "Cancel", "in_progress", "PAUSED", "paused", None),
    )
}

_PROGRESS: Final[Mapping[str, _Fields]] = {
    f"progress {told}": {"progress": told}
    for told in (
        *("0%", "7%", "65%", "100%", "65", "0.65", "0.29", "1.0", "0.5%", "65.9%", "12.5", "250%", "-5%", "+5%"),
        *("065%", "abc", "%", "65%%", "Waiting to start", "1e1", ".5", "nan", "", None),
    )
}

_MOMENTS: Final[Mapping[str, _Fields]] = {
    f"time {count}": dict.fromkeys(_TIMES, count)
    for count in (
        *(_SUBMITTED // 1000, _SUBMITTED, _SUBMITTED * 1000 + 456),
        *(1, 10**11 - 1, 10**11, 10**12 - 1, 10**12, 10**14 - 1000, 10**14, 10**15 - 1, 10**15, 10**17 - 10**6, 10**17),
        *(-_SUBMITTED, 0, None),
    )
}

_ACTIONS: Final[Mapping[str, _Fields]] = {
    f"action {word}": {"action": word, "status": "SUCCESS", "imageUrl": _PICTURE}
    for word in ("IMAGINE", "Upscale", "EDITS", "edits", "EDIT", "BLEAND", "RESET", "SWAP_FACE", "DANCE", "", None)
}

_WORDS: Final[Mapping[str, _Fields]] = {
    **{
        f"bot {word}": {"botType": word}
        for word in ("MID_JOURNEY", "NIJI_JOURNEY", "niji", "MJ", "Mid_Journey", "SORA")
    },
    **{f"mode {word}": {"mode": word} for word in ("FAST", "RELAX", "TURBO", "relaxed", "slow")},
    "a bot in the properties": {"botType": "", "properties": {"botType": "NIJI_JOURNEY"}},
    "the bot before that in the properties": {"botType": "MID_JOURNEY", "properties": {"botType": "NIJI_JOURNEY"}},
    "a custom id": {"customId": "MJ::JOB::upsample::1::d3adb33f"},
    "a custom id in the properties": {"customId": None, "properties": {"custom_id": "MJ::JOB::upsample::1::d3adb33f"}},
    "the custom id before that in the properties": {"customId": "a", "properties": {"custom_id": "b"}},
    "a parent": {"parentId": "0123456789012345678"},
    "a seed": {"seed": "007"},
}

_PROMPTS: Final[Mapping[str, _Fields]] = {
    "quotes, line breaks and backslashes": {"prompt": 'a "cat"\r\n\tC:\\cat \u2028 /', "failReason": "\u0001\u007f"},
    "a Chinese prompt and its translation": {
        "prompt": "一只猫 🐈",
        "promptEn": "a cat",
        "state": "x",
        "description": "y",
    },
    "a prompt that is no answer": {"action": "IMAGINE", "prompt": "a cat", "properties": {"finalPrompt": "1️⃣ a cat"}},
    "a failure": {"status": "FAILURE", "failReason": "Banned prompt", "description": "", "progress": "100%"},
}

_PROPERTIES: Final[Mapping[str, _Fields]] = {
    "a final prompt alone": {"properties": {"finalPrompt": "a cat --v 7"}},
    "no final prompt": {"properties": {"finalPrompt": "", "messageId": "12"}},
    "a final prompt that is null": {"properties": {"finalPrompt": None, "messageId": "12"}},
    "the rest of the properties": {
        "properties": {
            "notifyHook": 'https://example.com/"hook"',
            "finalPrompt": 'a "cat", \\ finalPrompt',
            "flags": 64,
            "weight": 0.25,
            "ephemeral": False,
            "nonce": None,
            "nested": {"finalPrompt": "kept", "list": [1, "two", None, {"three": []}]},
            "progress_message_id": "1234567890123456789",
        }
    },
}

_BUTTONS: Final[Mapping[str, _Fields]] = {
    "buttons": {"buttons": [_button("MJ::JOB::reroll::0::d3adb33f::SOLO", label="", emoji="🔄"), _button("b")]},
    "buttons without a custom id": {"buttons": [_button(None), _button("b"), _button(""), {"label": "U2"}]},
    "no button that can be pressed": {"buttons": [_button(""), {}]},
    "buttons of nulls": {"buttons": [_button("a", label=None, emoji=None, type=None, style=None), {"customId": "b"}]},
}

_WILD: Final[Mapping[str, _Fields]] = {
    **{f"progress as a number, {told}": {"progress": told} for told in (0, 7, 100, 250, -5, 0.65, 12.5)},
    **{
        f"time as {type(told).__name__}, {told}": dict.fromkeys(_TIMES, told)
        for told in (
            *(str(_SUBMITTED // 1000), str(_SUBMITTED), str(_SUBMITTED * 1000), _SUBMITTED / 1000, "1740000000.5"),
            *("2025-02-19T21:20:00Z", "2025-02-19T21:20:00.123+02:00", "2025-02-19 21:20:00", "", "0", "soon"),
        )
    },
    "a seed that is a number": {"seed": 7},
    "buttons in rows": {"buttons": [[_button("a"), _button("b")], [_button("c")]]},
    "a row of buttons of which none can be pressed": {"buttons": [[_button("")]]},
    "buttons whose numbers are texts": {"buttons": [_button("a", type="2", style="1")]},
}

_PREVIEWS: Final[Mapping[str, _Fields]] = {
    f"a preview {url}": {"status": "IN_PROGRESS", "imageUrl": url}
    for url in (
        *(_PICTURE, f"{_PICTURE}?rand=123", f"{_PICTURE}?a=1&rand=123", f"{_PICTURE}?rand=", f"{_PICTURE}?rand=12a"),
        *(f"{_PICTURE}?brand=12", f"{_PICTURE}?rand=1&rand=2", f"{_PICTURE}?rand=1&a=2", ""),
    )
}

_PICTURES: Final[Mapping[str, _Fields]] = {
    "a finished picture with a count of reads": _finished(imageUrl=f"{_PICTURE}?rand=123"),
    "singles": _finished(imageUrls=_SINGLES),
    "singles as objects": _finished(imageUrls=_objects(*_SINGLES)),
    "singles that are stored": _finished(image_urls=_SINGLES),
    "singles before those that are stored": _finished(imageUrls=_objects(*_SINGLES), image_urls=["c", "d"]),
    "singles of an unfinished task": _finished(status="IN_PROGRESS", imageUrls=_SINGLES),
    "singles twice": _finished(imageUrls=[*_SINGLES, *_SINGLES]),
    "singles without an address": _finished(imageUrls=["", *_SINGLES]),
    "singles as objects without an address": _finished(imageUrls=_objects("", *_SINGLES)),
    "the grid among the singles": _finished(imageUrls=[_PICTURE, *_SINGLES]),
    "singles without a grid": _finished(imageUrl="", imageUrls=_objects(*_SINGLES)),
    "a single alone": _finished(imageUrl=None, imageUrls=_objects(_SINGLES[0])),
    "a single alone of an unfinished task": _finished(status="IN_PROGRESS", imageUrl="", imageUrls=_SINGLES[:1]),
    "a single alone that is stored": _finished(imageUrl="", image_urls=_SINGLES[:1]),
    "a single beside the picture": _finished(imageUrls=_SINGLES[:1]),
    "the picture where it is stored": _finished(image_urls=_SINGLES[:1]),
    "the picture where it is stored, twice": _finished(imageUrls=_SINGLES[:1], image_urls=_SINGLES),
}

_VIDEOS: Final[Mapping[str, _Fields]] = {
    "a video": _finished(action="VIDEO", imageUrl="", videoUrl=_CLIP),
    "a video beside its first frame": _finished(action="VIDEO", videoUrl=_CLIP),
    "videos": _finished(action="VIDEO", videoUrls=[_CLIP, "", _CLIP, "https://cdn.example.com/second.mp4"]),
    "videos as objects": _finished(action="VIDEO", videoUrls=_objects(_CLIP, "https://cdn.example.com/second.mp4")),
    "videos before the video": _finished(action="VIDEO", videoUrl=_CLIP, videoUrls=_objects("a", "b")),
    "the video is the picture": _finished(action="VIDEO", imageUrl=_CLIP, videoUrl=_CLIP),
    "the video, not among the videos, is the picture": _finished(imageUrl=_CLIP, videoUrl=_CLIP, videoUrls=["a"]),
    "one of the videos is the picture": _finished(action="VIDEO", imageUrl=_CLIP, videoUrls=["a", _CLIP]),
    "the videos are the singles": _finished(imageUrl="", imageUrls=_objects(_CLIP, "b"), videoUrls=["b", _CLIP]),
    "a video and a single": _finished(imageUrl=_CLIP, imageUrls=[_CLIP, *_SINGLES[:1]], videoUrl=_CLIP),
    "a video under way": _finished(status="IN_PROGRESS", action="VIDEO", imageUrl=_CLIP, videoUrl=_CLIP),
    "a video that stands as the picture": _finished(action="VIDEO", imageUrl=f"{_CLIP}?ex=1"),
    "a video with a picture": _finished(action="VIDEO_EXTEND", imageUrl=_PICTURE),
    "videos that stand as singles": _finished(
        action="VIDEO", imageUrl=_CLIP, imageUrls=_objects(_CLIP, "b.WEBM", "c.png")
    ),
    "videos that stand as stored": _finished(
        action="VIDEO", imageUrl="", image_urls=[_CLIP, "b.mov"], videoUrl="a.mp4"
    ),
    "a clip of no video": _finished(action="UPSCALE", imageUrl=_CLIP),
    "a face swapped in a video": _finished(action="SWAP_VIDEO_FACE", imageUrl=_CLIP),
    "a face swapped in a video, which is told": _finished(action="SWAP_VIDEO_FACE", videoUrl=_CLIP),
    "a face being swapped in a video": _finished(action="SWAP_VIDEO_FACE", status="IN_PROGRESS", imageUrl=_CLIP),
}

_ANSWERS: Final[Mapping[str, _Fields]] = {
    "described": _finished(action="DESCRIBE", promptEn=_NUMBERED),
    "described in the prompt": _finished(action="DESCRIBE", prompt=_NUMBERED),
    "described in the final prompt": _finished(action="DESCRIBE", properties={"finalPrompt": _NUMBERED}),
    "described in every prompt": _finished(
        action="DESCRIBE", prompt=_NUMBERED, promptEn=_NUMBERED, properties={"finalPrompt": _NUMBERED}
    ),
    "described beside what was asked": _finished(action="DESCRIBE", prompt="what is it", promptEn=_NUMBERED),
    "described and translated": _finished(
        action="DESCRIBE", prompt="1️⃣ 一只猫", promptEn="1️⃣ a cat", properties={"finalPrompt": "1️⃣ 一只猫"}
    ),
    "described with another final prompt": _finished(
        action="DESCRIBE", prompt="p", promptEn="1️⃣ a cat", properties={"finalPrompt": "1️⃣ a dog"}
    ),
    "described in lines": _finished(action="describe", promptEn="a cat\r\n\r\n  a dog\t\na pig\n"),
    "described with singles": _finished(action="DESCRIBE", promptEn="a cat", imageUrls=_SINGLES, videoUrl=_CLIP),
    "described without an answer": _finished(action="DESCRIBE"),
    "described with empty numbers": _finished(action="DESCRIBE", prompt="", promptEn="1️⃣ 2️⃣\n3️⃣ a pig"),
    "still describing": {"action": "DESCRIBE", "status": "IN_PROGRESS", "imageUrl": _PICTURE, "promptEn": _NUMBERED},
    "shortened": _finished(action="SHORTEN", prompt="a cat, sitting", promptEn=_SHORTENED),
    "shortened in the final prompt": _finished(
        action="SHORTEN", prompt="a cat, sitting", promptEn="a cat, sitting", properties={"finalPrompt": _SHORTENED}
    ),
    "shortened in the prompt and the final prompt": _finished(
        action="shorten", prompt=_NUMBERED, promptEn="x", properties={"finalPrompt": _NUMBERED}
    ),
    "shortened without an answer": _finished(action="SHORTEN", prompt="a cat", promptEn="a cat"),
    "shortened to a prompt alone": _finished(action="SHORTEN", prompt="1️⃣ a cat"),
    "still shortening": {"action": "SHORTEN", "status": "SUBMITTED", "prompt": "a cat", "promptEn": "1️⃣ a cat"},
}

RULES: Final[Mapping[str, _Fields]] = {
    **_EMPTY,
    **_STATUSES,
    **_PROGRESS,
    **_MOMENTS,
    **_ACTIONS,
    **_WORDS,
    **_PROMPTS,
    **_PROPERTIES,
    **_BUTTONS,
    **_WILD,
    **_PREVIEWS,
    **_PICTURES,
    **_VIDEOS,
    **_ANSWERS,
}
"""What a record holds beside its id, by the rule that it shows."""


def records() -> Iterator[bytes]:
    """A record for each rule, each one line of JSON."""
    for rule, values in RULES.items():
        yield json.dumps({"id": rule, **values}, ensure_ascii=False).encode()
