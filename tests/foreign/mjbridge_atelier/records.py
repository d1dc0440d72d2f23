"""Atelier's prints as tasks, and tasks as prints."""

from collections.abc import Mapping
from typing import Any, Final

from mjbridge import MalformedRecord, Status, Task, fields

STATUSES: Final[Mapping[str, Status]] = {
    "": Status.PENDING,
    "in-the-queue": Status.PENDING,
    "on-the-press": Status.PROCESSING,
    "hung": Status.COMPLETED,
    "torn": Status.FAILED,
    "taken-back": Status.CANCELLED,
}
STATUS_WORDS: Final = {Status.NEEDS_INPUT: "in-the-queue", Status.UNKNOWN: "mislaid"} | fields.inverse(STATUSES)
ACTIONS: Final = {"draw": "imagine", "enlarge": "upscale", "rework": "variation", "redo": "reroll"}
ACTION_WORDS: Final = fields.inverse(ACTIONS)
SPEEDS: Final = {"calm": "relax", "brisk": "fast", "rushed": "turbo"}
PACES: Final = fields.inverse(SPEEDS)


def read(provider: str, record: fields.Record) -> Task:
    """A print, bare or as the `Payload` of a reply."""
    reply = fields.decode(record)
    told = fields.mapping(reply.get("Payload")) or reply
    ref, share = fields.text(told.get("Ref")), fields.number(told.get("Share"))
    if ref is None:
        raise MalformedRecord("a print has a Ref", path="$.Ref", provider=provider)
    stage = fields.text(told.get("Stage")) or ""
    status = STATUSES.get(stage, Status.UNKNOWN)
    hung = status is Status.COMPLETED
    sheet, frames = fields.pictures(next(iter(_sheets(told, "contact")), None), _sheets(told, "frame"))
    return Task(
        id=ref,
        provider=provider,
        status=status,
        vendor_status=stage,
        action=fields.word(told.get("Verb"), ACTIONS),
        progress=fields.progress(share),
        prompt=fields.text(told.get("Brief")),
        fail_reason=fields.text(told.get("Why")),
        image_url=sheet if hung else None,
        image_urls=frames if hung else (),
        preview_url=None if hung else next(iter(_sheets(told, "proof")), sheet),
        submitted_at=fields.moment(told.get("Born")),
        finished_at=fields.moment(told.get("Hung")),
        parent_id=fields.text(told.get("Source")),
        speed=fields.word(told.get("Pace"), SPEEDS) or None,
        raw=fields.raw(record),
    )


def _sheets(told: Mapping[str, Any], role: str) -> tuple[str, ...]:
    found = (item for item in fields.each(told.get("Sheets")) if fields.is_object(item))
    return fields.urls([item for item in found if item.get("Role") == role], key="Href")


def write(task: Task) -> dict[str, Any]:
    """The bare print: the inverse of `read`. Keys without a value are left out."""
    sheets = {"contact": [task.image_url], "frame": task.image_urls, "proof": [task.preview_url]}
    values = {
        "Ref": task.id,
        "Stage": fields.status_word(task, STATUSES, STATUS_WORDS),
        "Share": None if task.progress is None else task.progress / 100,
        "Verb": ACTION_WORDS.get(task.action, task.action),
        "Brief": task.prompt,
        "Why": task.fail_reason,
        "Sheets": [{"Role": role, "Href": url} for role, urls in sheets.items() for url in urls if url],
        "Born": task.submitted_at and task.submitted_at.isoformat(),
        "Hung": task.finished_at and task.finished_at.isoformat(),
        "Source": task.parent_id,
        "Pace": PACES.get(task.speed or "", task.speed),
    }
    return {key: value for key, value in values.items() if value not in (None, "", [])}
