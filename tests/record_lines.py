"""Records as a file of JSON lines has them, and tasks as one has them."""

import json
from typing import Any

from mjbridge import Task
from mjbridge.task import decode

MANY = 20_000
GRID: dict[str, Any] = {"status": "SUCCESS", "progress": "100%", "imageUrl": "https://cdn.example.com/g.png"}


def record_lines(count: int, **more: Any) -> bytes:
    """So many grids, numbered from 0."""
    return b"".join(json.dumps({"id": str(number), **GRID, **more}).encode() + b"\n" for number in range(count))


def tasks_in(lines: bytes) -> list[Task]:
    """The tasks that were written."""
    return [decode(line) for line in lines.splitlines()]
