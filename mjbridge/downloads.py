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
_LONGEST_NAME: Final = 80


def save(task: Task, folder: Path, read: Callable[[str], bytes]) -> list[Path]:
    """Save a completed task's pictures: `<id>` the grid or single image, `<id>_1` ... the singles of a grid.

    `read` gives the content behind an address. Raises `InvalidCommand` if there is nothing to save and
    `MalformedReply` for content that is no picture; no partial file is ever left.
    """
    if task.status is not Status.COMPLETED or not task.images:
        raise InvalidCommand(f"task {task.ref} is {task.status} and has no finished picture to download")
    name = _safe(task.id)
    pictures = [(name, task.image_url), *((f"{name}_{number}", url) for number, url in enumerate(task.image_urls, 1))]
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / stem, read(url)) for stem, url in pictures if url]


def _safe(task_id: str) -> str:
    # The id is the vendor's text: two ids that look alike when cleaned must not share a file.
    cleaned = _UNSAFE.sub("_", task_id)[:_LONGEST_NAME]
    return cleaned if cleaned == task_id else f"{cleaned}_{hashlib.sha256(task_id.encode()).hexdigest()[:8]}"


def _write(stem: Path, content: bytes) -> Path:
    suffix = next((suffix for signature, suffix in _SIGNATURES if signature.match(content)), None)
    if suffix is None:
        raise MalformedReply(f"what the vendor sent for {stem.name} is no PNG, JPEG, WebP or GIF picture")
    path = stem.with_name(stem.name + suffix)
    partial = stem.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        partial.write_bytes(content)
        return partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
