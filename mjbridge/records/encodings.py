"""Text in another encoding than UTF-8, told by its byte order mark."""

import codecs
from collections.abc import Iterator, Mapping
from typing import Final

from mjbridge.records.windows import Damaged

# UTF-32 first: a mark of it begins with one of UTF-16.
MARKS: Final[Mapping[bytes, str]] = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

# Half a character is nobody's to mend: it goes on as half a character, and the reader refuses its record alone.
_ERRORS: Final = "surrogatepass"


def as_utf8(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """A text as UTF-8, its mark too; `Damaged` where it goes no further."""
    decoder = codecs.getincrementaldecoder(encoding)(_ERRORS)
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode("utf-8", _ERRORS)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        yield error.object[: error.start].decode(encoding, _ERRORS).encode("utf-8", _ERRORS)
        raise Damaged(str(error)) from None
