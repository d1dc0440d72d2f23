"""Compressed sources, told by their content."""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import IO, Any, Final

from mjbridge.errors import ConfigError
from mjbridge.records.windows import BLOCK, Damaged

_LONGEST_MAGIC: Final = 6
_INPUT: Final = 1024
"""Bytes read at a time, few since zstandard bounds no output: of these it makes some thirty megabytes at most."""


class _Buffered(io.RawIOBase):
    """Any object with `read`, for `io.BufferedReader`; text comes as UTF-8. Closing it leaves the object open."""

    def __init__(self, file: IO[Any]) -> None:
        super().__init__()
        # `read1` gives what is there. `read` waits for all of it, and lets no Ctrl-C through meanwhile.
        self._read = getattr(file, "read1", None) or file.read
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._rest:
            read = self._read(len(buffer))
            if read is None:
                raise _would_end_too_soon()
            self._rest = read.encode("utf-8", "surrogatepass") if isinstance(read, str) else read
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def decompressed(file: IO[Any]) -> Iterator[bytes]:
    """What is in a file, some at a time, as it is or decompressed; `Damaged` where that goes no further."""
    raw = getattr(getattr(file, "buffer", file), "raw", file)
    if sys.platform != "win32" and isinstance(raw, io.FileIO) and not os.get_blocking(raw.fileno()):
        raise _would_end_too_soon()
    opened: Any = file if hasattr(file, "peek") else io.BufferedReader(_Buffered(file), BLOCK)
    head = opened.peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC]
    unpack = next((unpack for magic, unpack in MAGICS.items() if head.startswith(magic)), _pieces)
    return unpack(opened)


def _would_end_too_soon() -> OSError:
    """A source that does not wait for more tells nobody whether there is any: its records would end anywhere."""
    return BlockingIOError(errno.EAGAIN, "it does not wait for what is to come: os.set_blocking(file.fileno(), True)")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    # Not `read`, which waits for a full block: a pipe gives what it has.
    read = getattr(file, "read1", file.read)
    while piece := read(BLOCK):
        yield piece


def _streams(
    file: IO[bytes],
    begin: Callable[[], Any],
    unpack: Callable[[Any, bytes], Iterator[bytes]],
    error: type[Exception],
    padding: int = 0,
) -> Iterator[bytes]:
    """What is in compressed streams, one behind the other, perhaps with NULs between them, by so many at a time.

    By object: the libraries' own files leave out, without a word, what stands behind the first stream and is no other,
    or do not tell a cut stream from a whole one.
    """
    stream, place, data = begin(), "", b""
    while data := data or file.read(_INPUT):
        if stream.eof:
            data = _without_padding(data, padding)
            if not data:
                continue
            stream, place = begin(), "behind a whole stream: "
        try:
            yield from unpack(stream, data)
        except error as reason:
            raise Damaged(f"{place}{reason}") from None
        data = stream.unused_data if stream.eof else b""
    if not stream.eof:
        raise Damaged(f"{place}Compressed file ended before the end-of-stream marker was reached")


def _without_padding(data: bytes, padding: int) -> bytes:
    # Streams that are padded are aligned as well, and so is what is read at a time.
    count = len(data) - len(data.lstrip(b"\0"))
    return data[count - count % padding :] if padding else data


def _bounded(stream: Any, data: bytes) -> Iterator[bytes]:
    yield stream.decompress(data, BLOCK)
    while not (stream.eof or stream.needs_input):
        yield stream.decompress(b"", BLOCK)


def _unbounded(stream: Any, data: bytes) -> Iterator[bytes]:
    yield from _pieces(io.BytesIO(stream.decompress(data)))


def _gunzipped(file: IO[bytes]) -> Iterator[bytes]:
    import gzip  # noqa: PLC0415 only .gz sources need it
    import zlib  # noqa: PLC0415 only its error is needed, where gzip is

    opened: Any = gzip.GzipFile(fileobj=file)
    try:
        yield from _pieces(opened)
    except (EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the data's
        raise Damaged(str(error)) from None


def _bunzipped(file: IO[bytes]) -> Iterator[bytes]:
    import bz2  # noqa: PLC0415 only .bz2 sources need it

    return _streams(file, bz2.BZ2Decompressor, _bounded, OSError)


def _unxzed(file: IO[bytes]) -> Iterator[bytes]:
    import lzma  # noqa: PLC0415 only .xz sources need it

    return _streams(file, partial(lzma.LZMADecompressor, lzma.FORMAT_XZ), _bounded, lzma.LZMAError, padding=4)


def _unzstded(file: IO[bytes]) -> Iterator[bytes]:
    library = zstandard()
    return _streams(file, lambda: library.ZstdDecompressor().decompressobj(), _unbounded, library.ZstdError)


def zstandard() -> Any:
    """The library for zstd; `ConfigError` names the extra where it is missing."""
    try:
        import zstandard as library  # noqa: PLC0415 an extra that only .zst files need
    except ImportError:
        raise ConfigError("zstd needs an extra: pip install 'mjbridge[zstd]'") from None
    return library


MAGICS: Final[Mapping[bytes, Callable[[IO[bytes]], Iterator[bytes]]]] = {
    b"\x1f\x8b": _gunzipped,
    b"BZh": _bunzipped,
    b"\xfd7zXZ\x00": _unxzed,
    b"\x28\xb5\x2f\xfd": _unzstded,
    # A frame to be skipped, as pzstd begins with one.
    **dict.fromkeys((bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60)), _unzstded),
}
