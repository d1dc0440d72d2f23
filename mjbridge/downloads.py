"""Finished pictures on disk: names made here, files whole or not at all."""

import hashlib
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mjbridge.errors import InvalidCommand, MalformedReply
from mjbridge.task import Status, Task

_SIGNATURES: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"GIF8[79]a"), ".gif"),
)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
# The forms of the vendors' own ids. Any other could be a device's name, or differ from another by case alone.
_SAFE: Final = re.compile(r"\d{1,40}|task_[0-9A-Z]{1,40}")
_LONGEST_NAME: Final = 80


def save(task: Task, folder: Path, read: Callable[[str], bytes]) -> list[Path]:
    """Save a completed task's pictures: `<id>` the grid or single image, `<id>_1` ... the singles of a grid.

    `read` gives the content behind an address. Raises `InvalidCommand` if there is nothing to save or `folder` cannot
    be written to, and `MalformedReply` for content that is no picture; no partial file is ever left.
    """
    if task.status is not Status.COMPLETED or not task.images:
        raise InvalidCommand(f"task {task.ref} is {task.status} and has no finished picture to download")
    name = _safe(task.id)
    pictures = [(name, task.image_url), *((f"{name}_{number}", url) for number, url in enumerate(task.image_urls, 1))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / stem, read(url)) for stem, url in pictures if url]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidCommand(f"{folder}: the pictures cannot be saved there: {reason}") from None


def _safe(task_id: str) -> str:
    # The id is the vendor's text: two ids that look alike when cleaned must not share a file.
    cleaned = _UNSAFE.sub("_", task_id)[:_LONGEST_NAME]
    digest = hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return task_id if _SAFE.fullmatch(task_id) else f"{cleaned}_{digest}"


def suffix(content: bytes, what: str) -> str:
    """The file name's ending for a picture; `MalformedReply` if `what` the vendor sent is none."""
    found = next((ending for signature, ending in _SIGNATURES if signature.match(content)), None)
    if found is None:
        raise MalformedReply(f"what the vendor sent for {what} is no PNG, JPEG, WebP or GIF picture")
    return found


def _write(stem: Path, content: bytes) -> Path:
    path = stem.with_name(stem.name + suffix(content, stem.name))
    partial = stem.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        partial.write_bytes(content)
        return partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
