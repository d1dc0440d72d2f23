"""The mapping in pydantic v2: it validates the record and writes the task, and plain Python stands between them.

At its fastest the record is a `TypedDict`, as pydantic's page on performance advises, and the task a dataclass, which
nobody validates again, as mjbridge's own is not. As most would write it, the record is a model and the task validated.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast, get_type_hints

from pydantic import ConfigDict, TypeAdapter, create_model, with_config
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict  # which pydantic asks for on Python 3.11

from benchmarks.rivals import Sample
from benchmarks.rivals.words import ACTIONS, BOTS, CLIP, KEYCAP, RAND, SHORTENED, SPEEDS, STATUSES

_PERCENTS: Final[dict[str | None, int]] = {f"{percent}%": percent for percent in range(101)}
_NUMBER: Final = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?%?", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,18}(\.\d{1,18})?", re.ASCII)
_RAND: Final = re.compile(RAND)
_CLIP: Final = re.compile(CLIP)
_VIDEO_ACTIONS: Final = frozenset({"video", "video_extend"})
_KEYCAP: Final = re.compile(KEYCAP)
_from_timestamp: Final = datetime.fromtimestamp
_NONE: Final[list[str]] = []


class RecordUrl(TypedDict):
    """An address in an object of its own."""

    url: str


Urls = list[str | RecordUrl] | None
Time = int | float | str


class RecordButton(TypedDict, total=False):
    """A button of a record."""

    customId: str | None
    label: str | None
    emoji: str | None
    type: int | None
    style: int | None


class _HasId(TypedDict):
    id: str


_LENIENT: Final = ConfigDict(coerce_numbers_to_str=True)


@with_config(_LENIENT)
class Record(_HasId, total=False):
    """A record."""

    action: str | None
    customId: str | None
    botType: str | None
    prompt: str | None
    promptEn: str | None
    description: str | None
    state: str | None
    submitTime: Time | None
    startTime: Time | None
    finishTime: Time | None
    imageUrl: str | None
    status: str | None
    progress: str | None
    failReason: str | None
    buttons: list[RecordButton | list[RecordButton]] | None
    properties: dict[str, Any] | None
    imageUrls: Urls
    image_urls: Urls
    videoUrl: str | None
    videoUrls: Urls
    parentId: str | None
    mode: str | None
    seed: str | None


@dataclass(slots=True)
class Button:
    """`mjbridge.Button`."""

    custom_id: str
    label: str
    emoji: str
    type: int | None
    style: int | None


@dataclass(slots=True)
class Task:
    """`mjbridge.Task`: the fields that a record of the dialect fills."""

    schema_version: int
    id: str
    provider: str
    status: str
    vendor_status: str
    action: str
    progress: int | None
    prompt: str | None
    prompt_en: str | None
    final_prompt: str | None
    description: str | None
    fail_reason: str | None
    state: str | None
    image_url: str | None
    image_urls: list[str]
    preview_url: str | None
    video_urls: list[str]
    texts: list[str]
    buttons: list[Button]
    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    parent_id: str | None
    custom_id: str | None
    bot: str | None
    speed: str | None
    seed: str | None
    properties: dict[str, Any]


def _task(record: Record, make: Callable[..., Task] = Task) -> Task:
    vendor_status = record.get("status") or ""
    status = STATUSES.get(vendor_status) or STATUSES.get(vendor_status.upper(), "unknown")
    completed = status == "completed"
    action = _word(record.get("action"), ACTIONS) or ""
    progress = record.get("progress")
    properties = record.get("properties") or {}
    prompt, prompt_en = record.get("prompt") or None, record.get("promptEn") or None
    final_prompt = properties.pop("finalPrompt", None) or None
    picture, singles, videos, texts = record.get("imageUrl") or None, _NONE, _NONE, _NONE
    if (
        record.get("imageUrls")
        or record.get("image_urls")
        or record.get("videoUrl")
        or record.get("videoUrls")
        or action in _VIDEO_ACTIONS
        or action == "swap_video_face"
    ):
        picture, singles, videos = _pictures(record, picture, action)
    if action in _ANSWERS:
        picture, singles = None, _NONE
        if completed:
            answer = _ANSWERS[action](prompt, prompt_en, final_prompt)
            prompt = None if prompt == answer else prompt
            prompt_en = None if prompt_en == answer else prompt_en
            texts = _suggestions(answer)
    # By position, which costs two thirds of what it costs by keyword.
    return make(
        1,
        record["id"],
        "mjproxy",
        status,
        vendor_status,
        action,
        _PERCENTS[progress] if progress in _PERCENTS else _percent(progress),
        prompt,
        prompt_en,
        final_prompt,
        record.get("description") or None,
        record.get("failReason") or None,
        record.get("state") or None,
        picture if completed else None,
        singles if completed else _NONE,
        _RAND.sub("", picture) if picture and not completed else None,
        videos,
        texts,
        _buttons(found) if (found := record.get("buttons")) else [],
        _moment(count) if (count := record.get("submitTime")) else None,
        _moment(count) if (count := record.get("startTime")) else None,
        _moment(count) if (count := record.get("finishTime")) else None,
        record.get("parentId") or None,
        record.get("customId") or properties.get("custom_id") or None,
        _word(record.get("botType") or properties.get("botType"), BOTS),
        _word(record.get("mode"), SPEEDS),
        record.get("seed") or None,
        properties,
    )


def _word(told: str | None, meanings: Mapping[str, str]) -> str | None:
    return meanings.get(word := told.lower(), word) if told else None


def _percent(told: str | None) -> int | None:
    """Up to 1 with a point, and no sign behind it, it is a fraction."""
    if not told or not _NUMBER.fullmatch(told):
        return None
    number = float(told.removesuffix("%"))
    is_fraction = "." in told and "%" not in told and 0 < number <= 1
    return max(0, min(100, int(round(100 * number, 6) if is_fraction else number)))


def _moment(told: Time) -> datetime | None:
    """Seconds, milliseconds or microseconds, by size, or ISO text."""
    if isinstance(told, str):
        return _counted(float(told)) if _COUNT.fullmatch(told) else _dated(told)
    return _counted(told)


def _counted(count: float) -> datetime | None:
    if 10**12 <= count < 10**14:
        return _from_timestamp(count / 1e3, UTC)
    if 0 < count < 10**11:
        return _from_timestamp(count, UTC)
    return _from_timestamp(count / 1e6, UTC) if 10**15 <= count < 10**17 else None


def _dated(told: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(told)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _buttons(found: list[RecordButton | list[RecordButton]]) -> list[Button]:
    """From a list of buttons, or of rows of them."""
    return [
        Button(custom_id, button.get("label") or "", button.get("emoji") or "", button.get("type"), button.get("style"))
        for row in found
        for button in (row if isinstance(row, list) else (row,))
        if (custom_id := button.get("customId"))
    ]


def _pictures(record: Record, picture: str | None, action: str) -> tuple[str | None, list[str], list[str]]:
    """The picture, the singles and the videos, none of them among the others."""
    video, stored = record.get("videoUrl"), _urls(record.get("image_urls"))
    singles, alone = _urls(record.get("imageUrls")) or stored, _urls([picture or ""])
    videos = _urls(record.get("videoUrls"))
    if action in _VIDEO_ACTIONS:
        videos = videos or [*filter(_CLIP.search, singles)] or _urls([video or ""]) or [*filter(_CLIP.search, alone)]
    videos = videos or _urls([video or ""])
    if action == "swap_video_face":
        videos = videos or alone
    if len(singles) == 1 and stored and picture:
        singles = []  # the picture itself, in another place
    if picture == video or picture in videos:
        picture = None
    singles = [url for url in singles if url not in videos]
    if not picture and len(singles) == 1:
        picture = singles[0]
    return picture, [url for url in singles if url != picture], videos


def _urls(entries: Urls) -> list[str]:
    found = (entry if isinstance(entry, str) else entry["url"] for entry in entries or ())
    return list(dict.fromkeys(filter(None, found)))


def _described(prompt: str | None, prompt_en: str | None, final_prompt: str | None) -> str | None:
    translation = final_prompt if final_prompt == prompt else None
    return translation or prompt_en or final_prompt or prompt


def _shorter(prompt: str | None, prompt_en: str | None, final_prompt: str | None) -> str | None:
    return final_prompt or (prompt_en if prompt_en != prompt else None)


_ANSWERS: Final = {"describe": _described, "shorten": _shorter}


def _suggestions(answer: str | None) -> list[str]:
    """Numbered by keycap emoji, else a line each."""
    told = (answer or "").rpartition(SHORTENED)[2]
    parts = _KEYCAP.split(told)[1:] or told.splitlines()
    return [text for part in parts if (text := part.strip())]


_RECORDS: Final = TypeAdapter(Record)
_TASKS: Final = TypeAdapter(Task)


def run(sample: Sample) -> Iterable[bytes]:
    """Bytes to task to bytes, at its fastest."""
    return map(_TASKS.dump_json, map(_task, map(_RECORDS.validate_json, sample.lines)))


_OPTIONAL: Final[dict[str, Any]] = {name: (kind, None) for name, kind in get_type_hints(Record).items() if name != "id"}
_RecordModel: Final = create_model("_RecordModel", __config__=_LENIENT, id=(str, ...), **_OPTIONAL)
_ValidTask: Final = cast("type[Task]", pydantic_dataclass(Task))


def run_with_models(sample: Sample) -> Iterable[bytes]:
    """The same as most would write it."""
    for line in sample.lines:
        record = cast("Record", _RecordModel.model_validate_json(line).__dict__)
        yield _TASKS.dump_json(_task(record, _ValidTask))
