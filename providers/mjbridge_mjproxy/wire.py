"""The family's task object as it is on the wire, every value with the type it should have."""

from typing import Annotated, Any, Literal

import msgspec

from mjbridge import fields


class WireUrl(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An address in an object of its own, as trueai writes it; the thumbnail beside it is no result."""

    url: str
    thumbnail: str | None = None


# A parser that is told of its words makes no new text of each, and a table finds their hashes made.
StatusWord = Literal["", "NOT_START", "SUBMITTED", "IN_PROGRESS", "MODAL", "SUCCESS", "FAILURE", "CANCEL"]
BotWord = Literal["", "MID_JOURNEY", "NIJI_JOURNEY"]


class WireTask(msgspec.Struct, rename="camel", gc=False):
    """A record in which every value has the type it should have, its fields in the order in which most write them."""

    id: Annotated[str, msgspec.Meta(min_length=1)]
    action: str | None = None
    custom_id: str | None = None
    bot_type: BotWord | None = None
    prompt: str | None = None
    prompt_en: str | None = None
    description: str | None = None
    state: str | None = None
    submit_time: float | None = None
    start_time: float | None = None
    finish_time: float | None = None
    image_url: str | None = None
    video_url: str | None = None
    video_urls: list[str | WireUrl] | None = None
    status: StatusWord | None = None
    progress: str | None = None
    fail_reason: str | None = None
    buttons: list[fields.WireButton] | None = None
    properties: dict[str, Any] | None = None
    image_urls: list[str | WireUrl] | None = None
    storage_urls: list[str | WireUrl] | None = msgspec.field(default=None, name="image_urls")
    parent_id: str | None = None
    mode: str | None = None
    seed: str | None = None
    # Only stored rows have these, which is another form: their presence refuses the record here.
    mj_id: msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="mj_id")
    submitted: msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="submit_time")


class KnownTask(WireTask, forbid_unknown_fields=True, gc=False):
    """A record of known keys alone, as new-api and trueai answer a poll. What nobody reads of it may be anything."""

    mask_base64: Any = None
    prompt_full: Any = None
    thumbnail_url: Any = None
    job_id: Any = None
    request_mode: Any = None
    is_completed: Any = None
    use_time: Any = None
    displays: Any = None
