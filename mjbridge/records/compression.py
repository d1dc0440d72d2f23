"""Compressed sources, told by their content."""

import io
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final

from mjbridge.errors import ConfigError
from mjbridge.records.windows import BLOCK, Damaged

_LONGEST_MAGIC: Final = 6
_ZSTD_INPUT: Final = 1024


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
            self._rest = read.encode("utf-8", "surrogatepass") if isinstance(read, str) else read or b""
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def decompressed(file: IO[Any]) -> Iterator[bytes]:
    """What is in a file, some at a time, as it is or decompressed; `Damaged` where that goes no further."""
    opened: Any = file if hasattr(file, "peek") else io.BufferedReader(_Buffered(file), BLOCK)
    head = opened.peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC]
    unpack = next((unpack for magic, unpack in MAGICS.items() if head.startswith(magic)), _pieces)
    return unpack(opened)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    # Not `read`, which waits for a full block: a pipe gives what it has.
    read = getattr(file, "read1", file.read)
    while piece := read(BLOCK):
        yield piece


def _unpacked(file: Any, errors: tuple[type[Exception], ...]) -> Iterator[bytes]:
    try:
        yield from _pieces(file)
    except errors as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the data's
        raise Damaged(str(error)) from None


# The libraries are imported where they are needed, so that `import mjbridge` stays light.


def _gunzipped(file: IO[bytes]) -> Iterator[bytes]:
    import gzip  # noqa: PLC0415 see above
    import zlib  # noqa: PLC0415 see above

    return _unpacked(gzip.GzipFile(fileobj=file), (EOFError, zlib.error, OSError))


def _bunzipped(file: IO[bytes]) -> Iterator[bytes]:
    import bz2  # noqa: PLC0415 see above

    return _unpacked(bz2.BZ2File(file), (EOFError, OSError))


def _unxzed(file: IO[bytes]) -> Iterator[bytes]:
    import lzma  # noqa: PLC0415 see above

    return _unpacked(lzma.LZMAFile(file), (EOFError, lzma.LZMAError))


def _unzstded(file: IO[bytes]) -> Iterator[bytes]:
    # By object, since zstandard's own reader does not tell a cut stream from a whole one; and by little input at a
    # time, since it bounds no output: a kilobyte is some thirty megabytes at most, which go on block by block.
    library = zstandard()
    frame = library.ZstdDecompressor().decompressobj()
    try:
        while data := file.read(_ZSTD_INPUT):
            while data:
                if frame.eof:
                    frame = library.ZstdDecompressor().decompressobj()
                yield from _pieces(io.BytesIO(frame.decompress(data)))
                data = frame.unused_data if frame.eof else b""
    except library.ZstdError as error:
        raise Damaged(str(error)) from None
    if not frame.eof:
        raise Damaged("Compressed file ended before the end-of-stream marker was reached")


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
}
