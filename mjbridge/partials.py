"""Unfinished files: hidden beside their place, named by the mark of their content, and locked while they are written.

A lock ends with its process, however that ends. So what is not locked was left, and whoever comes next goes on with it.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from mjbridge.errors import Unavailable

_MARK: Final = re.compile(r"[0-9a-f]{16}")
_UNMARKED: Final = "unmarked"

if sys.platform == "win32":
    import msvcrt

    # Nobody else can read what is locked there: it is a byte that no file has.
    _LOCKED_BYTE: Final = 2**40

    def _lock(file: BinaryIO, *, wait: bool = False) -> bool:
        """Lock a file that was just opened, whether that worked."""
        os.lseek(file.fileno(), _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(file: BinaryIO, *, wait: bool = False) -> bool:
        """Lock a file that was just opened, whether that worked."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class Partial:
    """An unfinished file in the hands of one thread: open, and locked against all others.

    It is left for another time where the way to the server broke, if it has a mark; after anything else it is removed.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(error, Unavailable) and self.mark and self.size:
            self.file.close()
        else:
            self.discard()

    @property
    def mark(self) -> str:
        """What tells the content that it is the beginning of, `""` for nothing."""
        mark = self.path.name.split(".")[2]
        return mark if _MARK.fullmatch(mark) else ""

    @property
    def size(self) -> int:
        """In bytes."""
        self.file.flush()
        return os.fstat(self.file.fileno()).st_size

    @property
    def is_there(self) -> bool:
        """Whether it still has its name: who had it before may have finished or removed it."""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self.file.fileno()), self.path.stat())
        return False

    def finish(self, path: Path) -> Path:
        """Give it its name, once it is on the disk: a file that has its name is whole even after the power failed."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if sys.platform == "win32":
            # An open file cannot be renamed there. Elsewhere it is locked to the end.
            self.file.close()
        self.path.replace(path)
        self.file.close()
        self._over = True
        return path

    def discard(self) -> None:
        """Remove it, unless it is finished."""
        if not self._over:
            if sys.platform == "win32":
                self.file.close()  # an open file cannot be removed there
            self.path.unlink(missing_ok=True)
            self.file.close()
        self._over = True


def left(stem: Path) -> Partial | None:
    """What was left of a file, the longest there is, to go on at its end; the others are removed."""
    found = sorted(_left(stem), key=lambda partial: partial.size if partial.mark else 0)
    longest = found.pop() if found and found[-1].mark else None
    for partial in found:
        partial.discard()
    if longest:
        longest.file.seek(0, os.SEEK_END)
    return longest


def _left(stem: Path) -> Iterator[Partial]:
    for path in stem.parent.glob(f".{stem.name}.*.part"):
        # Another may be at it, and another user's is not ours.
        with suppress(FileNotFoundError, PermissionError):
            partial = Partial(path, path.open("r+b"))
            if _lock(partial.file) and partial.is_there:
                yield partial
            else:
                partial.file.close()


def new(stem: Path, mark: str = "") -> Partial:
    """An empty one, for the content of that mark."""
    numbers = count()
    while True:
        with suppress(FileExistsError):
            path = stem.with_name(f".{stem.name}.{mark or _UNMARKED}.{next(numbers)}.part")
            partial = Partial(path, path.open("xb"))
            # Whoever looks for what was left may have been faster.
            _lock(partial.file, wait=True)
            if partial.is_there:
                return partial
            partial.file.close()
