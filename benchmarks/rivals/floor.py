"""The floor: the record decoded into a struct of its own fields, and that struct encoded. No mapping at all."""

from collections.abc import Iterable
from typing import Any

import msgspec

from benchmarks.rivals import Sample


class Button(msgspec.Struct, rename="camel"):
    """A button of a record."""

    custom_id: str
    emoji: str
    label: str
    type: int
    style: int


class Record(msgspec.Struct, rename="camel"):
    """A record, field for field."""

    id: str
    action: str | None = None
    custom_id: str | None = None
    bot_type: str | None = None
    prompt: str | None = None
    prompt_en: str | None = None
    description: str | None = None
    state: str | None = None
    submit_time: int | None = None
    start_time: int | None = None
    finish_time: int | None = None
    image_url: str | None = None
    video_url: str | None = None
    video_urls: list[str] | None = None
    status: str | None = None
    progress: str | None = None
    fail_reason: str | None = None
    buttons: list[Button] | None = None
    mask_base64: str | None = None
    properties: dict[str, Any] | None = None


def run(sample: Sample) -> Iterable[bytes]:
    """Bytes to struct to bytes."""
    return map(msgspec.json.Encoder().encode, map(msgspec.json.Decoder(Record).decode, sample.lines))
