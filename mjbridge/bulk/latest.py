"""All records of a task as one, of however many tasks."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from mjbridge import records
from mjbridge.bulk.files import Lines
from mjbridge.task import decode

_WAITING: Final = 4
"""Records of a task that are kept before those that tell nothing new are sorted out."""


class Latest:
    """One task for each provider, account and id, merged, in order of first appearance. Memory grows with the tasks."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str, str], list[bytes]] = {}

    def add(self, lines: Lines) -> None:
        """Take the tasks of a batch."""
        for line in bytes(lines).splitlines():
            task = decode(line)
            known = self._lines.setdefault((task.provider, task.account, task.id), [])
            if line not in known:
                known.append(line)
            if len(known) > _WAITING:
                known[:] = [each.to_json() for each in records.telling(map(decode, known))]

    @property
    def size(self) -> int:
        """How many tasks there are."""
        return len(self._lines)

    def lines(self, count: int = 1000) -> Iterator[bytes]:
        """The tasks as lines of JSON, some at a time."""
        left = map(_merged, self._lines.values())
        while some := list(islice(left, count)):
            yield b"\n".join([*some, b""])


def _merged(lines: list[bytes]) -> bytes:
    return lines[0] if len(lines) == 1 else records.merge_all(map(decode, lines)).to_json()
