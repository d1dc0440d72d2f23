"""APIMart's two record shapes, told apart by their keys and read by one reader.

The Midjourney query: https://docs.apimart.ai/en/api-reference/images/midjourney/query
The unified query: https://docs.apimart.ai/en/api-reference/tasks/status
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from mjbridge import Action, Button, Certainty, MalformedRecord, Match, Speed, Status, Task, fields, readers
from mjbridge.doubts import OnDoubt, Origins
from mjbridge.fields import Record
from mjbridge.provider import NO_MATCH, Signs

# Upper case of the Midjourney query, lower case of the unified one, and the words of a submit answer.
STATUSES: Final[Mapping[str, Status]] = {
    **fields.MIDJOURNEY_STATUSES,
    "pending": Status.PENDING,
    "submitted": Status.PENDING,
    "processing": Status.PROCESSING,
    "in_progress": Status.PROCESSING,
    "modal": Status.NEEDS_INPUT,
    "completed": Status.COMPLETED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
    # In prose only: what becomes of a task that waits for input for 30 minutes.
    "CANCELLED": Status.CANCELLED,
    "": Status.PENDING,
}
STATUS_WORDS: Final = fields.inverse(fields.MIDJOURNEY_STATUSES) | {Status.UNKNOWN: "UNKNOWN"}
UNIFIED_WORDS: Final[Mapping[Status, str]] = {
    Status.PENDING: "pending",
    Status.PROCESSING: "processing",
    Status.NEEDS_INPUT: "pending",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.UNKNOWN: "unknown",
}

ACTIONS: Final = {"edits": Action.EDIT.value}
_ACTION_WORDS: Final[Mapping[str, str]] = {Action.EDIT: "EDITS"}
_SPEEDS: Final = frozenset(Speed)


class WireMedia(msgspec.Struct, gc=False):
    """An item of the unified `result`: newer pages show a list of addresses, older ones a text."""

    url: list[str] | str | None = None
    expires_at: int | None = None


class WireResult(msgspec.Struct, gc=False):
    """What a unified task made."""

    images: list[WireMedia] | None = None
    videos: list[WireMedia] | None = None


class WireFault(msgspec.Struct, gc=False):
    """Why a unified task failed."""

    message: str | None = None


class WireTask(msgspec.Struct, gc=False):
    """Both shapes in one: they share `id`, `status` and `progress`, and no other key. `data` wraps the unified one."""

    id: str | None = None
    task_id: str | None = None
    status: str | None = None
    progress: str | int | None = None
    # The Midjourney query.
    action: str | None = None
    mode: str | None = None
    prompt: str | None = None
    prompt_en: str | None = None
    description: str | None = None
    fail_reason: str | None = None
    grid_image_url: str | None = None
    image_urls: list[str] | None = None
    video_url: str | None = None
    video_urls: list[str] | None = None
    buttons: list[fields.WireButton] | None = None
    created_at: int | None = None
    finished_at: int | None = None
    quota: int | float | None = None
    # The unified query.
    result: WireResult | None = None
    error: WireFault | None = None
    created: int | None = None
    completed: int | None = None
    estimated_time: int | float | None = None
    actual_time: int | float | None = None
    cost: float | None = None
    credits_cost: float | None = None
    data: "WireTask | None" = None


_decode: Final = readers.refusing(WireTask, [readers.CANONICAL])

# Numbers that neither shape's canonical fields have a place for, kept under their own names.
_PROPERTIES: Final = ("quota", "estimated_time", "actual_time", "credits_cost")


# What a task shows of the values that may say nothing readable, although they are of the right type.
_ORIGINS: Final = Origins(
    {
        "progress": ("progress",),
        "submitted_at": ("created_at", "created"),
        "finished_at": ("finished_at", "completed"),
    },
    wrapper="data",
)


def normalizer(provider: str, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None) -> Callable[[Record], Task]:
    """The reader of either shape, wrapped in `{code, data}` or bare."""
    return readers.reader(provider, _decode, _fill, _task, keep_raw=keep_raw, origins=_ORIGINS, on_doubt=on_doubt)


def recognizer(
    provider: str, foreign: Signs, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None
) -> Callable[[Record], Task | None]:
    """Reads bytes that bear one of its signs and none of another vendor; else None."""

    def build(provider: str, outer: WireTask, raw: msgspec.Raw) -> Task | None:
        wire = outer.data or outer
        is_own = wire.grid_image_url is not None or _TASK_ID.fullmatch(wire.id or "")
        is_foreign = (wire.grid_image_url or "").startswith(foreign.links)
        return _task(provider, outer, raw) if is_own and not is_foreign else None

    parse = readers.refusing(WireTask, (*foreign.keys, *_FOREIGN_MARKS))
    return readers.at_sight(provider, parse, build, _nobody, keep_raw=keep_raw, origins=_ORIGINS, on_doubt=on_doubt)


def _nobody(record: Record) -> None:
    del record


def _addresses(value: object) -> list[str]:
    return list(fields.urls(value))


def _epoch(value: object) -> int | None:
    return fields.whole(value) or fields.milliseconds(fields.moment(value))


def _progress(value: object) -> str | int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else fields.text(value)


def _media(value: object) -> list[WireMedia]:
    return [
        WireMedia(_addresses([item]), fields.whole(item.get("expires_at")) if fields.is_object(item) else None)
        for item in fields.each(value)
    ]


def _result(value: object) -> WireResult:
    told = fields.mapping(value)
    return WireResult(_media(told.get("images")), _media(told.get("videos")))


def _fault(value: object) -> WireFault:
    # One client has met a bare text here.
    return WireFault(fields.text(value) or fields.text(fields.mapping(value).get("message")))


def _data(value: object) -> WireTask | None:
    # One level: no reply has data within data.
    return readers.fill(WireTask, value, {**_READERS, "data": _nothing}) if fields.is_object(value) else None


def _nothing(value: object) -> None:
    del value


_READERS: Final[dict[str, Callable[[object], Any]]] = {
    "progress": _progress,
    "image_urls": _addresses,
    "video_urls": _addresses,
    "buttons": fields.wire_buttons,
    "created_at": _epoch,
    "finished_at": _epoch,
    "quota": fields.amount,
    "result": _result,
    "error": _fault,
    "created": _epoch,
    "completed": _epoch,
    "estimated_time": fields.amount,
    "actual_time": fields.amount,
    "cost": fields.number,
    "credits_cost": fields.number,
    "data": _data,
}


def _fill(provider: str, record: Mapping[str, Any]) -> WireTask:
    del provider
    return readers.fill(WireTask, record, _READERS)


def _task(provider: str, outer: WireTask, raw: msgspec.Raw) -> Task:
    wire = outer.data or outer
    task_id = wire.id or wire.task_id
    if not task_id:
        path = "$.id" if wire is outer else "$.data.id"
        raise MalformedRecord("a task record names its id", path=path, provider=provider)
    vendor_status = wire.status or ""
    status = fields.status(vendor_status, STATUSES)
    completed = status is Status.COMPLETED
    action = fields.word(wire.action, ACTIONS)
    answer = _answer(wire) if completed and action == Action.DESCRIBE else None
    result = wire.result or WireResult()
    image_url, image_urls = fields.pictures(
        wire.grid_image_url, _unique(wire.image_urls) or _unique(_urls(result.images))
    )
    speed = fields.word(wire.mode)
    # By position, in the order of Task's fields, which a test pins: by keyword this costs three times as much.
    return Task(
        task_id,
        provider,
        status,
        vendor_status,
        "",
        action,
        fields.progress(wire.progress),
        None if wire.prompt == answer else wire.prompt or None,
        None if wire.prompt_en == answer else wire.prompt_en or None,
        None,
        None if wire.description == answer else wire.description or None,
        wire.fail_reason or (wire.error.message if wire.error else None) or None,
        None,
        image_url if completed else None,
        image_urls if completed else (),
        None if completed else image_url,
        _unique(wire.video_urls) or _unique(_urls(result.videos)) or _unique([wire.video_url or ""]),
        fields.suggestions(answer),
        fields.buttons(wire.buttons),
        fields.moment(wire.created_at or wire.created),
        None,
        fields.moment(wire.finished_at or wire.completed),
        None,
        None,
        None,
        speed if speed in _SPEEDS else None,
        None,
        wire.cost,
        _properties(wire, result),
        raw,
    )


def _answer(wire: WireTask) -> str | None:
    """Describe's text: in `prompt`, or `description` when that is empty; a live task had `prompt_en` instead."""
    return wire.prompt or wire.description or wire.prompt_en or None


def _urls(media: list[WireMedia] | None) -> list[str]:
    return [url for item in media or () for url in ([item.url] if isinstance(item.url, str) else item.url or ())]


def _unique(urls: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(url for url in urls or () if url))


def _properties(wire: WireTask, result: WireResult) -> dict[str, Any]:
    told = {name: value for name in _PROPERTIES if (value := getattr(wire, name)) is not None}
    expiries = [item.expires_at for item in (*(result.images or ()), *(result.videos or ())) if item.expires_at]
    return told | ({"expires_at": min(expiries)} if expiries else {})


def render(task: Task) -> dict[str, Any]:
    """The Midjourney query's record: the inverse of `normalize`. Keys without a value are left out."""
    picture = task.image_url if task.status is Status.COMPLETED else task.preview_url
    is_single = task.status is Status.COMPLETED and not task.image_urls and task.action == Action.UPSCALE
    values: dict[str, Any] = {
        "id": task.id,
        "status": fields.status_word(task, STATUSES, STATUS_WORDS),
        "action": _ACTION_WORDS.get(task.action, task.action.upper()),
        "mode": task.speed and task.speed.upper(),
        "progress": None if task.progress is None else f"{task.progress}%",
        "grid_image_url": None if is_single else picture,
        "image_urls": [picture] if is_single and picture else list(task.image_urls),
        "video_url": next(iter(task.video_urls), None),
        "video_urls": list(task.video_urls),
        "buttons": [_button(button) for button in task.buttons],
        "prompt": fields.join_suggestions(task.texts) or task.prompt,
        "prompt_en": task.prompt_en,
        "description": task.description,
        "fail_reason": task.fail_reason,
        "created_at": fields.seconds(task.submitted_at),
        "finished_at": fields.seconds(task.finished_at),
    }
    # 0 is what a refund leaves.
    charged = {"quota": quota} if (quota := fields.amount(task.properties.get("quota"))) is not None else {}
    return {key: value for key, value in values.items() if value or key in ("id", "status")} | charged


def _button(button: Button) -> dict[str, Any]:
    more = {"emoji": button.emoji or None, "type": button.type, "style": button.style}
    told = {key: value for key, value in more.items() if value is not None}
    return {"customId": button.custom_id, "label": button.label, **told}


def render_unified(task: Task) -> dict[str, Any]:
    """The unified query's reply for a task: `{code, data}`."""
    urls, videos = (list(task.images), list(task.video_urls))
    made = {"images": [{"url": urls}]} if urls else {}
    made |= {"videos": [{"url": videos}]} if videos else {}
    values: dict[str, Any] = {
        "id": task.id,
        "status": UNIFIED_WORDS[task.status],
        "progress": task.progress or 0,
        "result": made if task.status is Status.COMPLETED else None,
        "error": {"message": task.fail_reason, "type": "task_failed", "code": "task_failed"}
        if task.fail_reason
        else None,
        "created": fields.seconds(task.submitted_at),
        "completed": fields.seconds(task.finished_at),
        "cost": task.cost_usd,
        **{name: value for name, value in task.properties.items() if name in _PROPERTIES},
    }
    return {"code": 200, "data": {key: value for key, value in values.items() if value is not None}}


_MARKS: Final = ("image_urls", "grid_image_url", "fail_reason", "video_urls")
_FOREIGN_MARKS: Final = ("imageUrl", "promptEn", "submitTime", "mj_id")
_TASK_ID: Final = re.compile(r"task_[0-9A-HJKMNP-TV-Z]{26}|task-unified-\d+-\w+")
SIGNS: Final = Signs(keys=("grid_image_url", "data"), ids=("task_", "task-unified-"))


def matches(record: Mapping[str, Any]) -> Match:
    """Whether a record is APIMart's: by its own key, by the form of its ids, or by the shape that nobody else has."""
    inner = record.get("data")
    wire = inner if fields.is_object(inner) else record
    if "grid_image_url" in wire:
        return Match(Certainty.CERTAIN, "the key grid_image_url")
    if _TASK_ID.fullmatch(str(wire.get("id", ""))):
        return Match(Certainty.CERTAIN, "an id of its form")
    if wire is inner and "id" in wire and wire.get("status") in UNIFIED_WORDS.values():
        return Match(Certainty.FAMILY, "a unified status in data")
    if "id" in wire and any(key in wire for key in _MARKS) and not any(key in wire for key in _FOREIGN_MARKS):
        return Match(Certainty.FAMILY, "snake_case keys of its Midjourney query")
    return NO_MATCH
