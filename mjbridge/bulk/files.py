"""Files of tasks, written whole or not at all, and compressed as their suffix says."""

import bz2
import gzip
import io
import lzma
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeAlias, cast
from urllib.parse import unquote, urlsplit

from mjbridge.records.compression import zstandard

_WRITTEN_BACK: Final = 2**22
"""Bytes of a file after which they are sent on to the disk."""

_AT_ONCE: Final = 2**18
"""Bytes given to the system in one call: for more it looks for larger pages of memory, and longer."""

Lines: TypeAlias = "bytes | memoryview"
"""Tasks as lines of canonical JSON, perhaps in memory that is used again for the next ones."""


class Sink(Protocol):
    """Takes tasks, some at a time."""

    def write(self, lines: Lines, /) -> object:
        """Take tasks, and keep no more of their memory than a copy."""
        ...


def file_of(target: str) -> str:
    """The file that a target is, or that its database is in, where that is SQLite's."""
    dialect, is_url, path = target.partition(":///")
    return database_file(path.partition("?")[0]) if is_url and dialect.startswith("sqlite") else target


def database_file(database: str) -> str:
    """The file of an SQLite database, which SQLite's own URI may name (`file:tasks.db?mode=ro&uri=true`)."""
    return unquote(urlsplit(database).path) if database.startswith("file:") else database


@contextmanager
def lines_file(path: str) -> Generator[Sink, None, None]:
    """A file of lines, compressed if its suffix says so, that appears whole or not at all; `-` is stdout."""
    if path == "-":
        yield _Stdout()
        return
    compress = _COMPRESSIONS.get(Path(path).suffix.lower())
    with whole_file(path) as file:
        if compress is None:
            yield file
            return
        with compress(file) as compressed:
            yield compressed


@contextmanager
def whole_file(path: str) -> Generator[IO[bytes], None, None]:
    """A file that appears under its name once it is complete and on the disk; what cannot be replaced is written to."""
    if Path(path).exists() and not Path(path).is_file():
        # By the name that was given: what stands behind the /dev/fd/63 of a shell's >(...) has none of its own.
        with io.BufferedWriter(_NamedFile(Path(path), path, "wb")) as device:
            yield device
        return
    target = Path(os.path.realpath(path))
    # Free, for no number of a process is one for ever, nor in every container.
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    made = _PartFile(part, path, "xb")
    try:
        with io.BufferedWriter(made) as file:
            if target.exists():
                shutil.copymode(target, part)  # who may not read what was there may not read this
            yield file
            file.flush()
            os.fsync(file.fileno())
        with naming(path):
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    _keep_name(target.parent)


def _keep_name(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system can; who may write to it may not be allowed to read it."""
    if os.name == "posix" and os.access(folder, os.R_OK):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def naming(name: str) -> Generator[None, None, None]:
    """A place where what fails names the file as the user did."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), name) from None


class _Stdout:
    """The standard output, where each reader has at once what is written."""

    def write(self, lines: Lines, /) -> None:
        with naming("stdout"):
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()


class _NamedFile(io.FileIO):
    """A file whose errors name it as the user did."""

    def __init__(self, path: Path, name: str, mode: str) -> None:
        self._known_as = name
        with naming(name):
            super().__init__(path, mode)

    def write(self, data: Any, /) -> int:
        with naming(self._known_as):
            return super().write(data)


class _PartFile(_NamedFile):
    """A file that is brought to the disk while more of it is made, so that nobody waits for all of it at the end."""

    _waiting = 0

    def write(self, data: Any, /) -> int:
        size = super().write(memoryview(data)[:_AT_ONCE])  # whoever buffers it gives the rest again
        self._waiting += size
        if self._waiting >= _WRITTEN_BACK and sys.platform == "linux":
            # Pages that will not be read again: Linux begins to write those that have changed, and waits for none.
            os.posix_fadvise(self.fileno(), self.tell() - self._waiting, self._waiting, os.POSIX_FADV_DONTNEED)
            self._waiting = 0
        return size


def _gzip(file: IO[bytes]) -> IO[bytes]:
    # Without a time and a name in it, so that the same tasks are the same bytes.
    return cast("IO[bytes]", gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0))


def _bzip2(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", bz2.BZ2File(file, "wb"))


def _xz(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", lzma.LZMAFile(file, "wb"))


def _zstd(file: IO[bytes]) -> IO[bytes]:
    # With a checksum, as the other formats have one.
    compressor = zstandard().ZstdCompressor(write_checksum=True)
    return cast("IO[bytes]", compressor.stream_writer(file, closefd=False))


_COMPRESSIONS: Final[Mapping[str, Callable[[IO[bytes]], IO[bytes]]]] = {
    ".gz": _gzip,
    ".bz2": _bzip2,
    ".xz": _xz,
    ".zst": _zstd,
}
