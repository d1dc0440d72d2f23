"""Stored records of the MJ-proxy family in its wire form: database rows, documents, listings and old callbacks.

The forms, and where each is written:

- new-api rows and `/api/mj/` listings: QuantumNous/new-api model/midjourney.go and controller/midjourney.go (before:
  Calcium-Ion/new-api); MartialBE/one-hub, Arronlong/one-api-mj and ai365vip/chat-api model/midjourney.go;
- trueai rows: trueai-org/midjourney-proxy Models/TaskInfo, DomainObject and Enums, Data/FreeSqlHelper; the spelling of
  JSON columns is that of FreeSql.Extensions.JsonMap;
- trueai documents: the same at tag v9.5.0, Data/MongoHelper and LiteDBHelper;
- trueai callbacks before v5.8.16, whose enums are numbers;
- novicezk's Redis values (service/store/RedisTaskStoreServiceImpl) and the exports of midjourney-proxy-plus are wire.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from mjbridge import Certainty, MalformedRecord, Match, fields
from mjbridge.provider import NO_MATCH

Converter = Callable[[Any], Any]

# Deeper than any of these forms; what lies below stays as it is.
_DEEPEST: Final = 32

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})

# The longest 64-bit integer, with its sign.
_LONGEST_INTEGER: Final = 20

# Enums of trueai's Models/Enums, by ordinal: TaskStatus (which has no 2), TaskAction, EBotType and GenerationSpeedMode.
STATUSES: Final = {
    0: "NOT_START",
    1: "SUBMITTED",
    3: "IN_PROGRESS",
    4: "FAILURE",
    5: "SUCCESS",
    6: "MODAL",
    7: "CANCEL",
}
ACTIONS: Final = dict(
    enumerate(
        [
            "IMAGINE",
            "UPSCALE",
            "VARIATION",
            "REROLL",
            "DESCRIBE",
            "BLEND",
            "ACTION",
            "PAN",
            "OUTPAINT",
            "INPAINT",
            "ZOOM",
            "SHOW",
            "SHORTEN",
            "SWAP_FACE",
            "SWAP_VIDEO_FACE",
            "VIDEO",
            "VIDEO_EXTEND",
            "EDIT",
            "RETEXTURE",
            "PIC_READER",
            "UPSCALE_HD",
        ]
    )
)
BOTS: Final = {0: "MID_JOURNEY", 1: "NIJI_JOURNEY", 2: "INSIGHT_FACE"}
MODES: Final = {0: "RELAX", 1: "FAST", 2: "TURBO"}


def wire(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored record with the keys and values of the wire form; a wire record is returned as it is.

    Never raises and never changes the record. Without a task id there is no `id` either, so the reader refuses it: a
    new-api row with `mj_id` `""` is a submit that the upstream rejected, and its own `id` only numbers the row.
    """
    form = _form(record)
    return record if form is None else _over(form.rest(record), _told(form, record))


def id_path(record: Mapping[str, Any]) -> str:
    """Where the form of the record keeps the task's id, as `MalformedRecord.path` names it."""
    form = _form(record)
    return "$.id" if form is None else f"$.{form.id_key}"


def keys(record: Mapping[str, Any]) -> Mapping[str, str]:
    """The record's own keys by wire key; those of the wire form are left out."""
    form = _form(record)
    return {} if form is None else {column.key: key for key, column in form.columns.items() if key in record}


def matches(record: Mapping[str, Any]) -> Match:
    """Whether a record is a stored one: the task's id beside a key that only its form has."""
    form = _form(record)
    if form is None or form.id_key not in record:
        return NO_MATCH
    proof = next((key for key in form.proof if key in record), None)
    return Match(form.certainty, f"{form.id_key} and {proof}: {form.name}") if proof else NO_MATCH


_NO_TIME: Final = (None, 0, "", "0")


def _as_it_is(value: Any) -> Any:
    return value


def _unless_zero(value: Any) -> Any:
    """A time; 0 is none, as text too (CSV), and must not hide the one in `payload`."""
    return None if value in _NO_TIME else value


def _json(value: Any) -> Any:
    """JSON inside text. None for empty JSON and for text that is no JSON, as new-api itself shows it."""
    if not isinstance(value, str):
        return value
    try:
        return fields.decode_json(value) or None
    except MalformedRecord:
        return None


def _objects(value: Any) -> Any:
    """A JSON column of objects, whose keys Newtonsoft and the document stores write in PascalCase."""
    return [_camel(item) for item in fields.each(_json(value))]


def _camel(item: Any) -> Any:
    if not fields.is_object(item):
        return item
    return {key[:1].lower() + key[1:]: value for key, value in fields.mapping(item).items()}


def _named(names: Mapping[int, str]) -> Converter:
    """An enum by number, or number in text; names, and numbers that nobody knows, stay."""

    def name(value: Any) -> Any:
        number = fields.whole(value)
        return value if number is None else names.get(number, value)

    return name


def _integer(value: Any) -> Any:
    """A 64-bit integer in text, every digit of it; ids pass 2^53."""
    try:
        return int(value) if isinstance(value, str) and len(value) <= _LONGEST_INTEGER else value
    except ValueError:
        return value


# Values that JSON cannot hold, as MongoDB's tools (Extended JSON) and LiteDB's write them: an object of one key.
_EXTENDED: Final[Mapping[str, Converter]] = {
    "$numberLong": _integer,
    "$numberInt": _integer,
    "$numberDouble": fields.number,
    "$numberDecimal": fields.number,
    "$date": _as_it_is,
    "$oid": _as_it_is,
    "$guid": _as_it_is,
}


def _opened(value: Any, depth: int = _DEEPEST) -> Any:
    """A value without Extended JSON's wrappers, at any depth."""
    if type(value) in _SCALARS or depth == 0:
        return value
    if isinstance(value, list):
        return [_opened(item, depth - 1) for item in cast("Iterable[Any]", value)]
    if not fields.is_object(value):
        return value
    if _is_wrapper(value):
        return next(_EXTENDED[key](_opened(inner, depth - 1)) for key, inner in value.items())
    return {key: _opened(inner, depth - 1) for key, inner in value.items()}


def _is_wrapper(value: object) -> bool:
    return fields.is_object(value) and len(value) == 1 and not _EXTENDED.keys().isdisjoint(value)


class Column(msgspec.Struct, frozen=True):
    """The wire key of a stored key, and how its value becomes the wire's."""

    key: str
    convert: Converter = _as_it_is


class StoredForm(msgspec.Struct, frozen=True, kw_only=True):
    """How one store writes records.

    `tells`: whether a record is in it. `columns`: those that the reader of wire records reads. `rest`: wire keys for
    what no column tells. `proof`: keys that, beside `id_key`, nothing else has.
    """

    name: str
    id_key: str
    tells: Callable[[Mapping[str, Any]], bool]
    columns: Mapping[str, Column]
    rest: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    proof: tuple[str, ...] = ()
    certainty: Certainty = Certainty.NONE


# The wire's enums, which trueai's callbacks once wrote as numbers, and so what stores those may hold them.
_NUMBERED: Final[Mapping[str, Column]] = {
    "status": Column("status", _named(STATUSES)),
    "action": Column("action", _named(ACTIONS)),
    "botType": Column("botType", _named(BOTS)),
    "mode": Column("mode", _named(MODES)),
}

# GORM's snake_case names: QuantumNous/new-api model/midjourney.go. `code`, `user_id`, `channel_id` and `quota` are the
# gateway's own affairs. one-hub adds `mode`; early tables end at `fail_reason`.
_NEW_API_COLUMNS: Final[Mapping[str, Column]] = {
    "mj_id": Column("id"),
    "action": _NUMBERED["action"],
    "prompt": Column("prompt"),
    "prompt_en": Column("promptEn"),
    "description": Column("description"),
    "state": Column("state"),
    "submit_time": Column("submitTime", _unless_zero),
    "start_time": Column("startTime", _unless_zero),
    "finish_time": Column("finishTime", _unless_zero),
    "image_url": Column("imageUrl"),
    "video_url": Column("videoUrl"),
    "video_urls": Column("videoUrls", _json),
    "status": _NUMBERED["status"],
    "progress": Column("progress"),
    "fail_reason": Column("failReason"),
    "buttons": Column("buttons", _json),
    "properties": Column("properties", _json),
    "mode": _NUMBERED["mode"],
}

_JSON_IN_TEXT: Final = {key: Column(key, _json) for key in ("buttons", "properties", "imageUrls", "videoUrls")}

# The C# names: trueai-org/midjourney-proxy Models/TaskInfo. Enums are numbers or names, and JSON is text or nested, as
# the database likes. SQL says `Id`, the document stores say `_id`.
_TRUEAI_COLUMNS: Final[Mapping[str, Column]] = {
    "ParentId": Column("parentId"),
    "BotType": _NUMBERED["botType"],
    "Action": _NUMBERED["action"],
    "Status": _NUMBERED["status"],
    "Mode": _NUMBERED["mode"],
    "Prompt": Column("prompt"),
    "PromptEn": Column("promptEn"),
    "Description": Column("description"),
    "FailReason": Column("failReason"),
    "State": Column("state"),
    "SubmitTime": Column("submitTime", _unless_zero),
    "StartTime": Column("startTime", _unless_zero),
    "FinishTime": Column("finishTime", _unless_zero),
    "ImageUrl": Column("imageUrl"),
    "ImageUrls": Column("imageUrls", _objects),
    "VideoUrl": Column("videoUrl"),
    "VideoUrls": Column("videoUrls", _objects),
    "Progress": Column("progress"),
    "Seed": Column("seed"),
    "Buttons": Column("buttons", _objects),
    "Properties": Column("properties", _json),
}
TRUEAI_PROOF: Final = ("SubmitTime", "BotType", "PromptEn")


def _is_new_api(record: Mapping[str, Any]) -> bool:
    return ("mj_id" in record or "submit_time" in record) and "submitTime" not in record


def _is_trueai_row(record: Mapping[str, Any]) -> bool:
    return "id" not in record and not _TRUEAI_COLUMNS.keys().isdisjoint(record)


def _is_trueai_document(record: Mapping[str, Any]) -> bool:
    return "_id" in record and _is_trueai_row(record)


def _is_near_wire(record: Mapping[str, Any]) -> bool:
    return (
        any(type(record.get(key)) in (int, float) for key in _NUMBERED)
        or any(isinstance(record.get(key), str) for key in _JSON_IN_TEXT)
        or any(map(_is_wrapper, record.values()))
    )


def _nothing(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


def _payload(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The upstream's own object, which a fork of new-api keeps in a column."""
    return fields.mapping(_json(record.get("payload")))


def _itself(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: _opened(value) for key, value in record.items()}


# The first that tells.
FORMS: Final = (
    StoredForm(
        name="a row of the new-api family",
        id_key="mj_id",
        tells=_is_new_api,
        columns=_NEW_API_COLUMNS,
        rest=_payload,
        proof=("submit_time", "finish_time", "prompt_en", "fail_reason"),
        certainty=Certainty.FAMILY,
    ),
    StoredForm(
        name="a document of trueai",
        id_key="_id",
        tells=_is_trueai_document,
        columns={"_id": Column("id"), **_TRUEAI_COLUMNS},
        rest=_nothing,
        proof=TRUEAI_PROOF,
        certainty=Certainty.CERTAIN,
    ),
    StoredForm(
        name="a row of trueai",
        id_key="Id",
        tells=_is_trueai_row,
        columns={"Id": Column("id"), **_TRUEAI_COLUMNS},
        rest=_nothing,
        proof=TRUEAI_PROOF,
        certainty=Certainty.CERTAIN,
    ),
    StoredForm(
        name="a wire record with numbers for enums (trueai's callbacks before v5.8.16), JSON in text or Extended JSON",
        id_key="id",
        tells=_is_near_wire,
        columns={**_NUMBERED, **_JSON_IN_TEXT},
        rest=_itself,
    ),
)


def _form(record: Mapping[str, Any]) -> StoredForm | None:
    return next((form for form in FORMS if form.tells(record)), None)


def _told(form: StoredForm, record: Mapping[str, Any]) -> dict[str, Any]:
    """What the columns tell, by wire key; null and empty text tell nothing."""
    found = ((column, record[key]) for key, column in form.columns.items() if key in record)
    told = {column.key: column.convert(_opened(value)) for column, value in found}
    return _filled(told)


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value != ""}


def _over(rest: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """`told` before `rest`, and inside objects likewise."""
    shared = {key: {**rest[key], **_filled(told[key])} for key in told if _are_objects(told[key], rest.get(key))}
    return {**rest, **told, **shared}


def _are_objects(*values: object) -> bool:
    return all(fields.is_object(value) for value in values)
