"""What a reply that is no success means, and what it proves: who takes a doubt for a refusal pays twice."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mjbridge import fields
from mjbridge.errors import (
    Accepted,
    AuthenticationError,
    InvalidCommand,
    MalformedRecord,
    MJBridgeError,
    QuotaExceeded,
    RateLimited,
    TaskNotFound,
    Unavailable,
)
from mjbridge.wire import HttpResponse


class Refusal(msgspec.Struct, frozen=True):
    """What a vendor's code means: a row of a provider's error table."""

    category: type[MJBridgeError]
    meaning: str
    accepted: Accepted = "no"


class Complaint(msgspec.Struct, frozen=True):
    """A vendor's own error object: its text, its code verbatim, and keys of `refusals` that come before the code.

    `documented`: its shape alone is the vendor's, whatever the code. `names_task`: beside it, the reply names a task.
    """

    message: str
    code: str = ""
    keys: tuple[str, ...] = ()
    documented: bool = True
    names_task: bool = False


# What a status means when the vendor's code does not say; the rest of 4xx is the caller's fault, of 5xx the vendor's.
_STATUS_CATEGORIES: Final[Mapping[int, type[MJBridgeError]]] = {
    401: AuthenticationError,
    402: QuotaExceeded,
    403: AuthenticationError,
    404: TaskNotFound,
    408: Unavailable,
    409: Unavailable,
    429: RateLimited,
}
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_NO_STATUS: Final = 600
# These refuse by themselves, with any body. Any other may come from a proxy that knows nothing of the request's fate.
_REFUSING_STATUSES: Final = frozenset({401, 402, 403, 429, 503})
# Whoever tells of a time-out, in whatever words, does not know what became of the request.
_TIME_OUTS: Final = frozenset({408, 504, 524})


# Midjourney's own words, as its bot and the vendors' pages have them: moderation, and what it cannot draw.
COMMAND_FAULTS: Final = (
    "banned",
    "blocked",
    "moderat",
    "sensitive",
    "inappropriate",
    "community standards",
    "community guidelines",
    "content policy",
    "filter",
    "image denied",
    "violat",
    "nsfw",
    "invalid",
    "unrecognized",
    "not supported",
    "could not validate",
    "empty prompt",
    "敏感",
    "违规",
    "违禁",
    "审核",
    "参数",
)


def error_of(
    response: HttpResponse, complaint: Complaint | None, refusals: Mapping[str, Refusal]
) -> MJBridgeError | None:
    """The error a reply stands for, None for none: the vendor's code decides, then the HTTP status."""
    if complaint is None and response.ok:
        return None
    if complaint is None and not _speaks_for_itself(response.status):
        return response.malformed(_foreign(response))
    told = _told_status(complaint)
    status = told or response.status
    keys = (*complaint.keys, complaint.code, f"HTTP {status}") if complaint else ()
    known = next((refusals[key] for key in keys if key in refusals), None)
    category = known.category if known else _status_category(status)
    return category(
        complaint.message if complaint else "the vendor answered without its own error object",
        http_status=response.status,
        vendor_code=complaint.code if complaint else "",
        retry_after=response.retry_after,
        body=response.text,
        accepted=_accepted(response, told, complaint, known),
    )


def _accepted(response: HttpResponse, told: int | None, complaint: Complaint | None, known: Refusal | None) -> Accepted:
    """What a reply that is no success proves of a submit: who takes a doubt for a refusal pays twice.

    A refusal is a row of `refusals`, a status that refuses by itself, or the vendor's own error object around a status
    that blames the request. A reply that names a task is none, nor is a time-out, an unknown code or a failure.
    """
    if _TIME_OUTS & {response.status, told} or (complaint and complaint.names_task):
        return "maybe"
    if known:
        return known.accepted
    status = told if response.ok and told else response.status
    blames = complaint and complaint.documented and not issubclass(_status_category(status), Unavailable)
    return "no" if blames or _refuses(status) else "maybe"


def _refuses(status: int) -> bool:
    return status in _REFUSING_STATUSES


def _speaks_for_itself(status: int) -> bool:
    return _refuses(status) or status >= _SERVER_ERROR


def _foreign(response: HttpResponse) -> str:
    target = response.headers.get("location")
    return (
        f"the vendor redirects to {target}, and no redirect is followed"
        if target
        else "the reply is not the vendor's API"
    )


def _told_status(complaint: Complaint | None) -> int | None:
    """The HTTP status that a vendor's code is: it counts where the reply's own is another, such as 200."""
    code = fields.whole(complaint.code) if complaint else None
    return code if code is not None and _CLIENT_ERROR <= code < _NO_STATUS else None


def _status_category(status: int) -> type[MJBridgeError]:
    by_class = InvalidCommand if _CLIENT_ERROR <= status < _SERVER_ERROR else Unavailable
    return _STATUS_CATEGORIES.get(status, by_class)


_TASK_KEYS: Final = ("id", "task_id", "taskId", "result", "data")


def names_task(document: Mapping[str, Any]) -> bool:
    """Whether anything stands where one dialect or another names a task."""
    return any(document.get(key) for key in _TASK_KEYS)


def slugs(message: str) -> tuple[str, ...]:
    """What of a text may be a vendor's code in words: its beginning up to a colon, and its first word. No number is."""
    start = message.partition(":")[0].strip()
    return tuple(each for each in (start, start.partition(" ")[0]) if fields.whole(each) is None)


def object_in(response: HttpResponse) -> dict[str, Any]:
    """The JSON object in a reply's body; `{}` for any other body."""
    try:
        return fields.decode(response.body)
    except MalformedRecord:
        return {}
