"""Rows as the databases of new-api and trueai have them, read in one step: years of tasks are in such tables.

Names and types are those of QuantumNous/new-api and MartialBE/one-hub model/midjourney.go (GORM's) and of
trueai-org/midjourney-proxy Models/TaskInfo (FreeSql's). Any other row is read by `rows`, column by column, and becomes
the same task.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec

from mjbridge import fields, readers
from mjbridge_mjproxy import rows
from mjbridge_mjproxy.wire import StatusWord, WireTask, WireUrl

Value = TypeVar("Value", list[Any], dict[Any, Any])

# What these do not take, `rows` has its own way with: numbers for words, Extended JSON, and addresses that are none.
Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_]*$")]
Key = Annotated[str, msgspec.Meta(pattern=r"^[^$]")]
Address = Annotated[str, msgspec.Meta(pattern=r"^http")]
Time = float | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,18}$")]
"""In CSV a number is a text."""
Id = Annotated[str, msgspec.Meta(min_length=1)]
Absent = msgspec.UnsetType
"""The presence of such a key makes the record another form's."""

# A column of JSON is text in most databases and in a dump of them, and nested in a jsonb column and in CSV.
Properties = dict[Key, str | int | float | bool | None]
NewApiButtons = list[fields.WireButton]

_properties: Final = msgspec.json.Decoder(Properties | None).decode
_new_api_buttons: Final = msgspec.json.Decoder(NewApiButtons | None).decode
_new_api_urls: Final = msgspec.json.Decoder(list[Address | WireUrl] | None).decode


class NewApiRow(msgspec.Struct, gc=False):
    """The columns that say something of the task."""

    mj_id: Id
    action: Word | None = None
    prompt: str | None = None
    prompt_en: str | None = None
    description: str | None = None
    state: str | None = None
    submit_time: Time | None = None
    start_time: Time | None = None
    finish_time: Time | None = None
    image_url: str | None = None
    video_url: str | None = None
    video_urls: str | None = None
    status: StatusWord | None = None
    progress: str | None = None
    fail_reason: str | None = None
    buttons: str | NewApiButtons | None = None
    properties: str | Properties | None = None
    mode: Word | None = None
    wire_time: Absent = msgspec.field(default=msgspec.UNSET, name="submitTime")
    # A fork keeps the upstream's object there.
    payload: Absent = msgspec.UNSET


def _of_new_api(row: NewApiRow) -> WireTask:
    return _wire(
        row,
        id=row.mj_id,
        action=row.action,
        video_urls=_nested(row.video_urls, _new_api_urls),
        status=row.status,
        buttons=_nested(row.buttons, _new_api_buttons),
        mode=row.mode,
    )


class TrueaiButton(msgspec.Struct, rename="pascal", forbid_unknown_fields=True, gc=False):
    """A button as Newtonsoft writes it."""

    custom_id: str | None = None
    label: str | None = None
    emoji: str | None = None
    type: int | None = None
    style: int | None = None


class TrueaiUrl(msgspec.Struct, rename="pascal", forbid_unknown_fields=True, gc=False):
    """An address as Newtonsoft writes it; the thumbnail beside it is no result."""

    url: Address
    thumbnail: str | None = None


_trueai_buttons: Final = msgspec.json.Decoder(list[TrueaiButton] | None).decode
_trueai_urls: Final = msgspec.json.Decoder(list[TrueaiUrl] | None).decode


class TrueaiRow(msgspec.Struct, rename="pascal", gc=False):
    """The same of trueai: enums are numbers in SQLite, PostgreSQL and SQL Server, and words in MySQL."""

    id: Id
    parent_id: str | None = None
    bot_type: int | Word | None = None
    mode: int | Word | None = None
    action: int | Word | None = None
    status: int | StatusWord | None = None
    prompt: str | None = None
    prompt_en: str | None = None
    description: str | None = None
    submit_time: Time | None = None
    start_time: Time | None = None
    finish_time: Time | None = None
    image_url: str | None = None
    image_urls: str | None = None
    video_url: str | None = None
    video_urls: str | None = None
    progress: str | None = None
    fail_reason: str | None = None
    state: str | None = None
    seed: str | None = None
    buttons: str | list[TrueaiButton] | None = None
    properties: str | Properties | None = None
    wire_id: Absent = msgspec.field(default=msgspec.UNSET, name="id")
    document_id: Absent = msgspec.field(default=msgspec.UNSET, name="_id")
    new_api_id: Absent = msgspec.field(default=msgspec.UNSET, name="mj_id")
    new_api_time: Absent = msgspec.field(default=msgspec.UNSET, name="submit_time")


def _of_trueai(row: TrueaiRow) -> WireTask:
    if row == type(row)(row.id):
        raise msgspec.ValidationError("any table may have an Id, and this says nothing of a task")
    return _wire(
        row,
        id=row.id,
        parent_id=row.parent_id,
        bot_type=_word(rows.BOTS, row.bot_type),
        mode=_word(rows.MODES, row.mode),
        action=_word(rows.ACTIONS, row.action),
        status=_word(rows.STATUSES, row.status),
        image_urls=_addresses(row.image_urls),
        video_urls=_addresses(row.video_urls),
        seed=row.seed,
        buttons=_pressable(row.buttons),
    )


def _wire(row: NewApiRow | TrueaiRow, **own: Any) -> WireTask:
    """The columns that both databases have alike, and those of its own."""
    return WireTask(
        prompt=row.prompt,
        prompt_en=row.prompt_en,
        description=row.description,
        state=row.state,
        submit_time=_number(row.submit_time),
        start_time=_number(row.start_time),
        finish_time=_number(row.finish_time),
        image_url=row.image_url,
        video_url=row.video_url,
        progress=row.progress,
        fail_reason=row.fail_reason,
        properties=_nested(row.properties, _properties),
        **own,
    )


def _word(names: Mapping[int, str], value: int | str | None) -> Any:
    if not isinstance(value, int):
        return value
    if value not in names:
        raise msgspec.ValidationError("a number that no version of trueai has")
    return names[value]


def _number(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, str) else value


def _nested(value: str | Value | None, decode: Callable[[str], Value | None]) -> Value | None:
    if not value:
        return None
    return decode(value) if isinstance(value, str) else value


def _addresses(value: str | None) -> list[str | WireUrl]:
    return [each.url for each in _nested(value, _trueai_urls) or ()]


def _pressable(value: str | list[TrueaiButton] | None) -> list[fields.WireButton]:
    found = _nested(value, _trueai_buttons) or ()
    return [fields.WireButton(each.custom_id, each.label, each.emoji, each.type, each.style) for each in found]


def parser(refused: Iterable[str]) -> Callable[[bytes], WireTask]:
    """Reads a row in which none of these keys stands; what it raises for others is one of `fields.NOT_AS_EXPECTED`."""
    refused = tuple(refused)
    new_api, trueai = readers.refusing(NewApiRow, refused), readers.refusing(TrueaiRow, refused)

    def parse(record: bytes) -> WireTask:
        # Only the one has such a key.
        return _of_new_api(new_api(record)) if b'"mj_id"' in record else _of_trueai(trueai(record))

    return parse
