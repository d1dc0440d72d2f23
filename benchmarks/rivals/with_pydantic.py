"""The same mapping in pydantic v2: a model of the record, a model of the task, and plain Python between them."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from benchmarks.rivals import Sample

STATUSES: Final = {
    "": "pending",
    "NOT_START": "pending",
    "SUBMITTED": "pending",
    "IN_PROGRESS": "processing",
    "MODAL": "needs_input",
    "SUCCESS": "completed",
    "FAILURE": "failed",
    "CANCEL": "cancelled",
}
BOTS: Final = {"MID_JOURNEY": "midjourney", "NIJI_JOURNEY": "niji"}
PERCENTS: Final[dict[str | None, int]] = {f"{percent}%": percent for percent in range(101)}
RAND: Final = re.compile(r"[?&]rand=\d+$")


class WireModel(BaseModel):
    """What a record's parts have in common."""

    model_config = ConfigDict(alias_generator=to_camel)


class WireButton(WireModel):
    """A button of a record."""

    custom_id: str
    emoji: str = ""
    label: str = ""
    type: int | None = None
    style: int | None = None


class WireTask(WireModel):
    """A record: the fields that are read."""

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
    status: str | None = None
    progress: str | None = None
    fail_reason: str | None = None
    buttons: list[WireButton] | None = None
    properties: dict[str, Any] | None = None


class Button(BaseModel):
    """`mjbridge.Button`."""

    custom_id: str
    label: str = ""
    emoji: str = ""
    type: int | None = None
    style: int | None = None


class Task(BaseModel):
    """`mjbridge.Task`: the fields that a record of this form fills."""

    id: str
    provider: str = ""
    status: str = "unknown"
    vendor_status: str = ""
    action: str = ""
    progress: int | None = None
    prompt: str | None = None
    prompt_en: str | None = None
    final_prompt: str | None = None
    description: str | None = None
    fail_reason: str | None = None
    state: str | None = None
    image_url: str | None = None
    preview_url: str | None = None
    buttons: list[Button] = []
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    custom_id: str | None = None
    bot: str | None = None
    properties: dict[str, Any] = {}


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _task(wire: WireTask) -> Task:
    status = wire.status or ""
    completed = status == "SUCCESS"
    properties = wire.properties or {}
    return Task(
        id=wire.id,
        provider="mjproxy",
        status=STATUSES.get(status, "unknown"),
        vendor_status=status,
        action=(wire.action or "").lower(),
        progress=PERCENTS.get(wire.progress),
        prompt=wire.prompt or None,
        prompt_en=wire.prompt_en or None,
        final_prompt=properties.pop("finalPrompt", None),
        description=wire.description or None,
        fail_reason=wire.fail_reason or None,
        state=wire.state or None,
        image_url=wire.image_url or None if completed else None,
        preview_url=RAND.sub("", wire.image_url) if wire.image_url and not completed else None,
        buttons=[
            Button(
                custom_id=button.custom_id,
                label=button.label,
                emoji=button.emoji,
                type=button.type,
                style=button.style,
            )
            for button in wire.buttons or ()
        ],
        submitted_at=_time(wire.submit_time),
        started_at=_time(wire.start_time),
        finished_at=_time(wire.finish_time),
        custom_id=wire.custom_id or None,
        bot=BOTS.get(wire.bot_type or ""),
        properties=properties,
    )


def run(sample: Sample) -> Iterable[bytes]:
    """Bytes to task to bytes."""
    tasks = TypeAdapter(Task)
    for line in sample.lines:
        yield tasks.dump_json(_task(WireTask.model_validate_json(line)), exclude_defaults=True)
