"""Task records of the MJ-proxy family: one reader for all its dialects, which differ by data.

The task object of novicezk/midjourney-proxy (docs/api.md) and what its descendants added: midjourney-proxy-plus,
trueai-org/midjourney-proxy (Models/TaskInfo), QuantumNous/new-api (dto/midjourney.go), MartialBE/one-hub.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from mjbridge import Action, Bot, Button, Certainty, MalformedRecord, Match, Status, Task, fields, readers
from mjbridge.doubts import OnDoubt, Origins
from mjbridge.fields import FIRST_MILLISECOND as BEGIN
from mjbridge.fields import LAST_MILLISECOND as END
from mjbridge.fields import PERCENTS, Record, Times, Words, buttons, moment, text
from mjbridge.provider import Signs
from mjbridge_mjproxy import rows, typed_rows
from mjbridge_mjproxy.wire import KnownTask, WireTask, WireUrl

# `status` of trueai's TaskStatus, which is novicezk's plus MODAL and CANCEL; "" is a new-api row before its first poll.
STATUSES: Final[Mapping[str, Status]] = {"": Status.PENDING, **fields.MIDJOURNEY_STATUSES}
STATUS_WORDS: Final = fields.inverse(STATUSES) | {Status.UNKNOWN: "UNKNOWN"}

# Words whose lower case is not the canonical action: new-api's plural, novicezk's documented misspelling and v1 name.
ACTIONS: Final = {"edits": Action.EDIT.value, "bleand": Action.BLEND.value, "reset": Action.REROLL.value}

BOTS: Final = {"mid_journey": Bot.MIDJOURNEY.value, "niji_journey": Bot.NIJI.value, "mj": Bot.MIDJOURNEY.value}
BOT_WORDS: Final[Mapping[str, str]] = {Bot.MIDJOURNEY: "MID_JOURNEY", Bot.NIJI: "NIJI_JOURNEY"}

# Discord writes "relaxed"; the queue is the same.
SPEEDS: Final = {"relaxed": "relax"}

# Words that stand in millions of records, to be looked up as they are.
_STATUS_BY_WORD: Final = Words(STATUSES, partial(fields.status, statuses=STATUSES))
_ACTION_BY_WORD: Final[Words[str | None, str]] = Words(
    {action.value.upper(): action.value for action in Action}, partial(fields.word, canonical=ACTIONS)
)
_BOT_BY_WORD: Final[Words[str | None, str | None]] = Words(
    {None: None, "": None, **{word: bot for bot, word in BOT_WORDS.items()}}, partial(fields.word, canonical=BOTS)
)
_ACTION_WORDS: Final[Mapping[str, str]] = {Action.EDIT: "EDITS"}

# Their picture is the one the caller gave, and their answer is text.
_TEXT_ACTIONS: Final = frozenset({Action.DESCRIBE, Action.SHORTEN})
# trueai puts their clips where pictures stand, too.
_VIDEO_ACTIONS: Final = frozenset({Action.VIDEO, Action.VIDEO_EXTEND})
_CLIPS: Final = (".mp4", ".webm", ".mov")
# What stands where a picture stands may be none: the caller's own, or a clip.
_PICTURELESS_ACTIONS: Final = _TEXT_ACTIONS | _VIDEO_ACTIONS | {Action.SWAP_VIDEO_FACE}

# A record that holds one of these beside its id is of the family.
MARKS: Final = ("imageUrl", "promptEn", "submitTime", "failReason", "finishTime")

_FINAL_PROMPT: Final = "finalPrompt"

# Looked up for each of millions of records, where an attribute of a module or of a class is no longer free.
_COMPLETED: Final = Status.COMPLETED
_NONE: Final[tuple[str, ...]] = ()
_convert: Final = msgspec.convert


_decode: Final = readers.refusing(WireTask, [readers.CANONICAL])
_decode_row: Final = typed_rows.parser([readers.CANONICAL])
_decode_known: Final = msgspec.json.Decoder(KnownTask).decode


# What a task shows of the values that may say nothing readable, although they are of the right type.
_ORIGINS: Final = Origins(
    {
        "progress": ("progress",),
        "submitted_at": ("submit_time",),
        "started_at": ("start_time",),
        "finished_at": ("finish_time",),
    },
    stored=rows.keys,
    taken=frozenset({_FINAL_PROMPT}),
)


def normalizer(provider: str, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None) -> Callable[[Record], Task]:
    """The reader of any wire record of the family."""
    return readers.reader(
        provider,
        _decode,
        _fill,
        _task,
        keep_raw=keep_raw,
        origins=_ORIGINS,
        on_doubt=on_doubt,
        parse_known=_decode_known,
        parse_stored=_decode_row,
    )


def recognizer(
    provider: str,
    own_links: tuple[str, ...],
    foreign: Signs,
    *,
    keep_raw: bool = True,
    on_doubt: OnDoubt | None = None,
) -> Callable[[Record], Task | None]:
    """Reads bytes that are a wire record beyond doubt, of this vendor's links if it has any; else None."""

    def build(provider: str, wire: WireTask, raw: msgspec.Raw) -> Task | None:
        picture = wire.image_url or ""
        marked = picture.startswith(own_links) if own_links else wire.submit_time or wire.prompt_en or picture
        if not marked or wire.id.startswith(foreign.ids) or picture.startswith(foreign.links):
            return None
        return _task(provider, wire, raw)

    parse, parse_known = (readers.refusing(kind, foreign.keys) for kind in (WireTask, KnownTask))
    return readers.at_sight(
        provider,
        parse,
        build,
        _nobody,
        keep_raw=keep_raw,
        origins=_ORIGINS,
        on_doubt=on_doubt,
        parse_known=parse_known,
    )


def _nobody(record: Record) -> None:
    del record


def _epoch(value: object) -> float | None:
    return fields.number(value) or fields.milliseconds(fields.moment(value))


def _addresses(value: object) -> list[str | WireUrl]:
    return list(fields.urls(value))


_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "image_urls": _addresses,
    "storage_urls": _addresses,
    "video_urls": _addresses,
    "buttons": fields.wire_buttons,
    "submit_time": _epoch,
    "start_time": _epoch,
    "finish_time": _epoch,
    "properties": fields.mapping,
}


def _fill(provider: str, record: Mapping[str, Any]) -> WireTask:
    wire = rows.wire(record)
    if not fields.text(wire.get("id")):
        raise MalformedRecord("a task record names its id", path=rows.id_path(record), provider=provider)
    return readers.fill(WireTask, wire, _READERS)


def _task(provider: str, wire: WireTask, raw: msgspec.Raw) -> Task:
    vendor_status = wire.status or ""
    status = _STATUS_BY_WORD[vendor_status]
    completed = status is _COMPLETED
    action = _ACTION_BY_WORD[wire.action]
    submit, start, finish = wire.submit_time, wire.start_time, wire.finish_time
    prompt, prompt_en, final_prompt = wire.prompt, wire.prompt_en, None
    custom_id = wire.custom_id
    bot: str | None = wire.bot_type
    image_url = wire.image_url
    image_urls = videos = texts = _NONE
    if properties := wire.properties:
        final_prompt = text(told := properties.pop(_FINAL_PROMPT, None))
        if told and not final_prompt:
            properties[_FINAL_PROMPT] = told
        if not bot and "botType" in properties:
            bot = text(properties["botType"])
        if not custom_id and "custom_id" in properties:
            custom_id = text(properties["custom_id"])
    if wire.image_urls or wire.storage_urls or wire.video_url or wire.video_urls or action in _PICTURELESS_ACTIONS:
        image_url, image_urls, videos = _pictures(wire, action)
        if completed and action in _TEXT_ACTIONS:
            prompt, prompt_en, texts = _answered(action, prompt, prompt_en, final_prompt)
    # Three times in one call take two thirds of what three calls take.
    times = _convert(
        (
            (submit / 1000.0 if BEGIN < submit < END else moment(submit)) if submit else None,
            (start / 1000.0 if BEGIN < start < END else moment(start)) if start else None,
            (finish / 1000.0 if BEGIN < finish < END else moment(finish)) if finish else None,
        ),
        Times,
        strict=False,
    )
    # By position, in the order of Task's fields, which a test pins: by keyword this costs three times as much.
    return Task(
        wire.id,
        provider,
        status,
        vendor_status,
        "",
        action,
        PERCENTS[wire.progress],
        prompt or None,
        prompt_en or None,
        final_prompt,
        wire.description or None,
        wire.fail_reason or None,
        wire.state or None,
        image_url or None if completed else None,
        image_urls if completed else (),
        _without_rand(image_url) if image_url and not completed else None,
        videos,
        texts,
        buttons(found) if (found := wire.buttons) else (),
        times.submitted_at,
        times.started_at,
        times.finished_at,
        wire.parent_id or None,
        custom_id or None,
        _BOT_BY_WORD[bot],
        fields.word(mode, SPEEDS) if (mode := wire.mode) else None,
        wire.seed or None,
        None,
        properties or {},
        raw,
    )


def _without_rand(url: str) -> str:
    """A preview's address without the `?rand=` that new-api appends anew at every read (relay/relay-mj.go)."""
    address, _, count = url.rpartition("rand=")
    return address[:-1] if count.isdecimal() and address.endswith(("?", "&")) else url


def _answered(
    action: str, prompt: str | None, prompt_en: str | None, final_prompt: str | None
) -> tuple[str | None, str | None, tuple[str, ...]]:
    """The prompts, and what describe or shorten answered, wherever the implementation puts it: it is no prompt then."""
    if action == Action.SHORTEN:  # has a prompt of its own
        answer = final_prompt or (prompt_en if prompt_en != prompt else None)
    else:
        # CometAPI's page names promptEn. A translation that trueai was asked for is its prompt and its finalPrompt.
        translation = final_prompt if final_prompt == prompt else None
        answer = translation or prompt_en or final_prompt or prompt
    return (
        None if prompt == answer else prompt,
        None if prompt_en == answer else prompt_en,
        fields.suggestions(answer),
    )


def _pictures(wire: WireTask, action: str) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """The picture, the singles and the videos; trueai repeats a video's links as pictures, or has them there alone."""
    singles, alone = _urls(wire.image_urls) or _urls(wire.storage_urls), _urls([wire.image_url or ""])
    videos = _urls(wire.video_urls) or _clips(action, singles) or _urls([wire.video_url or ""]) or _clips(action, alone)
    if action in _TEXT_ACTIONS:
        return None, (), videos
    if action == Action.SWAP_VIDEO_FACE:
        videos = videos or alone
    if len(singles) == 1 and wire.storage_urls and wire.image_url:
        # CometAPI: the same picture where it is stored, until that link expires.
        singles = ()
    picture = None if wire.image_url in (*videos, wire.video_url) else wire.image_url
    return *fields.pictures(picture, tuple(url for url in singles if url not in videos)), videos


def _clips(action: str, urls: tuple[str, ...]) -> tuple[str, ...]:
    if action not in _VIDEO_ACTIONS:
        return ()
    return tuple(url for url in urls if url.partition("?")[0].lower().endswith(_CLIPS))


def _urls(entries: Sequence[str | WireUrl] | None) -> tuple[str, ...]:
    found = (entry if isinstance(entry, str) else entry.url for entry in entries or ())
    return tuple(dict.fromkeys(url for url in found if url))


class Form(msgspec.Struct, frozen=True):
    """How one dialect of the family writes a record.

    `keys`: those it has. `empty`: what stands in one that has no value (else null). `proxied`: whether `imageUrl` is
    the vendor's own `/mj/image/{id}` instead of where the picture is stored.
    """

    keys: frozenset[str]
    empty: Mapping[str, Any] = {}
    proxied: bool = False


# The keys that every dialect of the family has, and what those that write no null put in their place.
KEYS: Final = frozenset(
    {"id", "action", "prompt", "promptEn", "description", "state", "submitTime", "startTime", "finishTime"}
    | {"imageUrl", "videoUrl", "status", "progress", "failReason", "buttons"}
)
NO_TEXT: Final = dict.fromkeys(KEYS - {"id", "status", "buttons", "submitTime", "startTime", "finishTime"}, "")
NO_TIME: Final = dict.fromkeys(("submitTime", "startTime", "finishTime"), 0)


def render(task: Task, form: Form) -> dict[str, Any]:
    """A record of the family: the inverse of `normalize` for the keys of its form."""
    properties = {**task.properties, **({_FINAL_PROMPT: task.final_prompt} if task.final_prompt else {})}
    is_said = "properties" in form.keys and fields.suggestions(task.final_prompt) == task.texts
    answer = None if is_said else fields.join_suggestions(task.texts)
    # novicezk and trueai say what describe answered a second time.
    repeated = task.final_prompt if is_said and task.texts else None
    values: dict[str, Any] = {
        "id": task.id,
        "action": _ACTION_WORDS.get(task.action, task.action.upper()),
        "customId": task.custom_id,
        "botType": BOT_WORDS.get(task.bot or "", task.bot),
        "mode": task.speed and task.speed.upper(),
        "parentId": task.parent_id,
        "prompt": task.prompt or repeated,
        "promptEn": answer or task.prompt_en,
        "description": task.description,
        "state": task.state,
        "submitTime": fields.milliseconds(task.submitted_at),
        "startTime": fields.milliseconds(task.started_at),
        "finishTime": fields.milliseconds(task.finished_at),
        "imageUrl": task.image_url if task.status is _COMPLETED else task.preview_url,
        "imageUrls": [{"url": url} for url in task.image_urls],
        "image_urls": list(task.image_urls),
        "videoUrl": next(iter(task.video_urls), None),
        "videoUrls": [{"url": url} for url in task.video_urls],
        "status": fields.status_word(task, STATUSES, STATUS_WORDS),
        "progress": None if task.progress is None else f"{task.progress}%",
        "failReason": task.fail_reason,
        "seed": task.seed,
        "buttons": [render_button(button) for button in task.buttons],
        "properties": properties,
    }
    return {key: value or form.empty.get(key) for key, value in values.items() if key in form.keys}


def render_button(button: Button) -> dict[str, Any]:
    """A button as the family writes it."""
    return {
        "customId": button.custom_id,
        "emoji": button.emoji,
        "label": button.label,
        "type": button.type,
        "style": button.style,
    }


def matches(record: Mapping[str, Any]) -> Match:
    """Whether a record is of the family, by keys that only the family writes, on the wire or in storage."""
    stored = rows.matches(record)
    if stored.certainty:
        return stored
    mark = next((key for key in MARKS if key in record), None)
    return Match(Certainty.FAMILY, f"an id and {mark}") if mark and "id" in record else Match()
