"""Task records, both ways: `read` is lenient, `write` is its inverse.

Source: https://docs.acme.example/jobs
"""

from collections.abc import Mapping
from typing import Any, Final

from mjbridge import MalformedRecord, Status, Task, fields

# Every word the vendor's page lists. A word that is not here becomes Status.UNKNOWN, and is kept in vendor_status.
STATUSES: Final[Mapping[str, Status]] = {
    "": Status.PENDING,
    "queued": Status.PENDING,
    "running": Status.PROCESSING,
    "waiting": Status.NEEDS_INPUT,
    "done": Status.COMPLETED,
    "error": Status.FAILED,
    "cancelled": Status.CANCELLED,
}
STATUS_WORDS: Final = {Status.UNKNOWN: "unknown"} | fields.inverse(STATUSES)

# The vendor's words for actions where they are not mjbridge's own (mjbridge.Action).
ACTIONS: Final[Mapping[str, str]] = {"generate": "imagine"}
ACTION_WORDS: Final = fields.inverse(ACTIONS)


def read(provider: str, record: fields.Record) -> Task:
    """A job as a task. Whatever stands in it, there is a task or `MalformedRecord`."""
    told = fields.decode(record)
    task_id, word = fields.text(told.get("id")), fields.text(told.get("status")) or ""
    if task_id is None:
        raise MalformedRecord("a job has an id", path="$.id", provider=provider)
    status = STATUSES.get(word, Status.UNKNOWN)
    done = status is Status.COMPLETED
    picture, singles = fields.pictures(fields.text(told.get("image")), fields.urls(told.get("images")))
    return Task(
        id=task_id,
        provider=provider,
        status=status,
        vendor_status=word,
        action=fields.word(told.get("action"), ACTIONS),
        progress=fields.progress(told.get("percent")),
        prompt=fields.text(told.get("prompt")),
        fail_reason=fields.text(told.get("reason")),
        state=fields.text(told.get("state")),
        # A picture of a job that is not done is a preview, whatever the vendor calls it.
        image_url=picture if done else None,
        image_urls=singles if done else (),
        preview_url=None if done else picture,
        video_urls=fields.urls(told.get("videos")),
        buttons=fields.buttons(fields.wire_buttons(told.get("buttons"))),
        submitted_at=fields.moment(told.get("created")),
        finished_at=fields.moment(told.get("finished")),
        parent_id=fields.text(told.get("parent")),
        speed=fields.word(told.get("speed")) or None,
        raw=fields.raw(record),
    )


def write(task: Task) -> dict[str, Any]:
    """A task as a job. Keys without a value are left out."""
    values = {
        "id": task.id,
        "status": fields.status_word(task, STATUSES, STATUS_WORDS),
        "action": ACTION_WORDS.get(task.action, task.action),
        "percent": task.progress,
        "prompt": task.prompt,
        "reason": task.fail_reason,
        "state": task.state,
        "image": task.image_url or task.preview_url,
        "images": list(task.image_urls),
        "videos": list(task.video_urls),
        "buttons": [
            {"customId": button.custom_id, "label": button.label, "emoji": button.emoji} for button in task.buttons
        ],
        "created": fields.milliseconds(task.submitted_at),
        "finished": fields.milliseconds(task.finished_at),
        "parent": task.parent_id,
        "speed": task.speed,
    }
    return {key: value for key, value in values.items() if value not in (None, "", [])}
