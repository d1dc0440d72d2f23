"""What can be told to go wrong."""

import re
import threading
from typing import Final, TypeVar

import msgspec

from mjbridge import settings
from mjbridge.errors import InvalidCommand


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that goes wrong the next `times` times it can."""

    times: int = 1


class FailTask(Fault, frozen=True):
    """An accepted task ends in FAILURE."""

    reason: str = "Internal error at Midjourney"


class BannedPrompt(Fault, frozen=True):
    """A prompt with this word is refused."""

    word: str


class QueueFull(Fault, frozen=True):
    """A submit is refused: the queue is full."""


class HttpFault(Fault, frozen=True):
    """Any request is answered with this status and body, before the vendor's API sees it."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


class SlowReply(Fault, frozen=True):
    """A reply is held back for `seconds`; the vendor has done its work by then."""

    seconds: float


# How a fault is written on a command line: its name, and the field that stands behind "=".
_NAMES: Final[dict[str, tuple[type[Fault], str]]] = {
    "banned-prompt": (BannedPrompt, "word"),
    "fail-task": (FailTask, "reason"),
    "http": (HttpFault, "status"),
    "queue-full": (QueueFull, ""),
    "slow": (SlowReply, "seconds"),
}
_WRITTEN: Final = re.compile(r"([^=*]*)(?:=(.*?))?(?:\*([1-9][0-9]{0,8}))?", re.DOTALL)


def parse(text: str) -> Fault:
    """A fault from `NAME[=VALUE][*TIMES]`; `InvalidCommand` tells what is wrong with it.

    >>> parse("http=503*2")
    HttpFault(status=503, body=b'', headers={}, times=2)
    """
    found = _WRITTEN.fullmatch(text)
    name, value, times = found.groups() if found else (text, None, None)
    if name not in _NAMES:
        raise InvalidCommand(settings.unknown_word("fault", name, list(_NAMES)))
    kind, field = _NAMES[name]
    given = {key: part for key, part in ((field, value), ("times", times)) if part is not None}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidCommand(f"fault {text!r}: {error}") from None


Kind = TypeVar("Kind", bound=Fault)


class Faults:
    """The faults still to come, in order. Thread-safe."""

    def __init__(self, *faults: Fault) -> None:
        self._left = list(faults)
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Script more of them."""
        with self._lock:
            self._left.extend(faults)

    def take(self, kind: type[Kind], about: str = "") -> Kind | None:
        """Use up one turn of the first fault of this kind; a `BannedPrompt` only if its word is in `about`."""
        with self._lock:
            for place, fault in enumerate(self._left):
                if isinstance(fault, kind) and not (isinstance(fault, BannedPrompt) and fault.word not in about):
                    left = [msgspec.structs.replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                    self._left[place : place + 1] = left
                    return fault
        return None
