"""Pages: objects without an id of their own that hold a list of records, or an object that does.

Vendors' list queries answer so, and so do the lists of an administrator's API.
"""

import re
from typing import Final

import msgspec

from mjbridge.fields import NOT_AS_EXPECTED
from mjbridge.records.brackets import BEGUN, STRING, closing

_OWN_ID: Final = rb'"(?:id|_id|Id|mj_id)"'
_WRAPPER: Final = rb'"(?:data|items|content|list)"\s*+:\s*+(?=[\[{])'
_PLAIN: Final = STRING + rb"|[-+.\w]++"
# From an object's beginning, or from between two members, to the next value in brackets; a wrapper is in group 1.
_TO_BRACKETS: Final = re.compile(
    rb"[{,\s]*+(?:(?!" + _OWN_ID + b")" + STRING + rb"\s*+:\s*+(?:" + _PLAIN + rb")[,\s]*+)*+"
    rb"(?:(" + _WRAPPER + b")|(?!" + _OWN_ID + b")" + STRING + rb"\s*+:\s*+(?=[\[{]))",
    re.DOTALL,
)
# Of anything but whole scalars and lists, that is: its first record may be a broken one.
LIST_OF_RECORDS: Final = re.compile(
    rb"\[\s*+(?:(?:" + _PLAIN + rb")\s*+,\s*+)*+(?!(?:" + _PLAIN + rb")\s*+(?:[\](]|\Z)|\[|\Z|" + BEGUN + rb"\Z)",
    re.DOTALL,
)

KEY: Final = re.compile(b"(" + BEGUN + rb'"?+)\s*+(:?+)\s*+')
"""A key, so far as it is there, in group 1; its colon in group 2."""

WRAPPERS: Final = frozenset({b'"data"', b'"items"', b'"content"', b'"list"'})
_DEEPEST_PAGE: Final = 3


def is_page(data: bytes, position: int, levels: int = _DEEPEST_PAGE) -> bool:
    """Whether the object that begins here shows a list of records, or a page in it does, before an id of its own."""
    while levels and (found := _TO_BRACKETS.match(data, position)):
        position = found.end()
        if found[1] and (LIST_OF_RECORDS.match(data, position) or is_page(data, position, levels - 1)):
            return True
        position = closing(data, position)
        if position < 0:
            break
    return False


class _Unidentified(msgspec.Struct):
    """What a page is told from a record by: it has no id of its own, whatever that is called."""

    id: msgspec.UnsetType = msgspec.UNSET
    mj_id: msgspec.UnsetType = msgspec.UNSET
    document_id: msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_id")
    stored_id: msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="Id")


_as_unidentified: Final = msgspec.json.Decoder(_Unidentified).decode


def is_identified(document: bytes) -> bool:
    """Whether an object shows an id of its own; it may be broken."""
    try:
        _as_unidentified(document)
    except msgspec.ValidationError:
        return True
    except NOT_AS_EXPECTED:
        return False
    return False
