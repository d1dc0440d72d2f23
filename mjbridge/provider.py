"""The plugin contract: `Provider`, which speaks a vendor's dialect."""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, Final, TypeGuard

import msgspec

from mjbridge import bodies, conversion, fields, settings
from mjbridge.bodies import Body
from mjbridge.commands import ByButton, Command, Upload
from mjbridge.doubts import OnDoubt
from mjbridge.errors import (
    Accepted,
    AuthenticationError,
    InvalidCommand,
    MalformedRecord,
    MalformedReply,
    MJBridgeError,
    QuotaExceeded,
    RateLimited,
    TaskNotFound,
    Unavailable,
    Unsupported,
)
from mjbridge.fields import Record
from mjbridge.pictures import inputs
from mjbridge.pictures.inputs import Takes
from mjbridge.serving import Backend, DialectServer
from mjbridge.task import NO_RAW, Task
from mjbridge.wire import Flow, HttpRequest, HttpResponse

API_VERSION: Final = 1
"""The version of this contract. A provider states the one it was written for."""


class Level(StrEnum):
    """How a provider does a command: in one request of its own, out of several, or not at all."""

    NATIVE = "native"
    EMULATED = "emulated"
    UNSUPPORTED = "unsupported"


class Support(msgspec.Struct, frozen=True):
    """Whether a provider can do a command, how, and within which limits (by field, `"images": "2 to 4"`)."""

    level: Level = Level.NATIVE
    note: str = ""
    limits: Mapping[str, str] = {}


class Certainty(IntEnum):
    """How sure a provider is that a record is of its dialect."""

    NONE = 0
    FAMILY = 1
    CERTAIN = 2


class Match(msgspec.Struct, frozen=True):
    """What a provider says of a record, and why."""

    certainty: Certainty = Certainty.NONE
    reason: str = ""


NO_MATCH: Final = Match()


class Signs(msgspec.Struct, frozen=True):
    """What a vendor's records show that others' do not: keys, and how its ids and its pictures' addresses begin.

    A record that shows any of them is left to `matches`.
    """

    keys: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


NO_SIGNS: Final = Signs()
Recognizer = Callable[[Record], Task | None]


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


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a provider that has none."""


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


class Provider:
    """A vendor's dialect. Pure: it opens no socket, never sleeps, and reads no clock, environment or global.

    A plugin's class states `name` (its entry point's), `api_version`, `base_url` (None: the account must say) and
    `supports` (a command that is absent is unsupported), and the tables `bodies`, `refusals` and `signs`. It writes
    `accepted`, `fetch`, `complaint`, `normalize`, `render` and `server`; the rest is for where a vendor differs.
    """

    name: ClassVar[str]
    api_version: ClassVar[int]
    base_url: ClassVar[str | None]
    supports: ClassVar[Mapping[type[Command], Support]] = {}
    lacks: ClassVar[Mapping[str, str]] = {}
    """Why there is no such `"Command"`, `"Command.field"` or `"field"` here, and the way round."""
    bodies: Sequence[Body] = ()
    """How its requests are written."""
    placed: ClassVar[frozenset[str]] = frozenset()
    """The fields that it writes by itself, outside `bodies`."""
    takes: Mapping[str, Takes] = {}
    """In which form it takes the picture of a `"Command.field"`, where that is not any form."""

    Options: ClassVar[type[msgspec.Struct]] = NoOptions
    """The account's `options` table: a frozen struct with `forbid_unknown_fields`."""
    needs_key: ClassVar[bool] = True
    poll_interval: ClassVar[float] = 3.0
    """Seconds between two polls of a task that the vendor advises."""
    refusals: ClassVar[Mapping[str, Refusal]] = {}
    """The vendor's error codes, as text; `HTTP 422` is a status where no code tells."""
    command_faults: ClassVar[Sequence[str]] = COMMAND_FAULTS
    """What a `fail_reason` holds, in lower case, when another vendor would fail the command just the same."""
    batch_size: ClassVar[int] = 1
    """Tasks that are asked for in one `fetch_many`: more than one where the vendor has a list."""
    signs: ClassVar[Signs] = NO_SIGNS
    """What makes `matches` certain; a provider that writes `matches` itself states it here too."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.options: Any = settings.read(self.Options, options or {}, f"options of {self.name}")

    # The client half: command -> request, reply -> task.

    def authorize(self, request: HttpRequest, key: str) -> HttpRequest:
        """The request with the key in it."""
        return request.with_header("Authorization", f"Bearer {key}")

    def submit(self, command: Command) -> Flow[Task]:
        """Ask for a new task: one `request`, whose reply is `accepted`. What is not in `supports` asks nobody."""
        if type(command) not in self.supports:
            raise self.unsupported(*self.lack(command))
        if self.presses(command):
            parent = yield from self.fetch(command.task_id)
            command = command.press(parent)
        # What cannot be said is refused before a picture is read or uploaded for it.
        self.request(command)
        command = yield from self.converted(command)
        reply = yield self.request(command)
        return self.accepted(command, reply)

    def request(self, command: Command) -> HttpRequest:
        """The one request that submits a command, by `bodies`. What `submits` may cost, and is never sent twice."""
        path, body = self.written(command)
        return HttpRequest("POST", path, json={**body, **command.extra}, submits=True)

    def accepted(self, command: Command, reply: HttpResponse) -> Task:
        """The task that the reply to `request` promises; `reply.malformed` where it promises none."""
        raise self.unsupported(type(command).__name__)

    @classmethod
    def support(cls, kind: type[Command]) -> Support:
        """Whether and how it does a command: its row of `supports`, or why there is none."""
        return cls.supports.get(kind) or Support(Level.UNSUPPORTED, cls.lacks.get(kind.__name__, ""))

    def written(self, command: Command) -> tuple[str, dict[str, Any]]:
        """A command's path and body, by `bodies`; `Unsupported`, naming the field, for what they cannot say."""
        body = bodies.find(self.bodies, command)
        if body is None:
            raise self.unsupported(*self.lack(command))
        for field in body.unsaid(command):
            if field not in self.placed:
                raise self.unsupported(*self.lack(command, field))
        return body.path, body.write(command)

    def lack(self, command: Command, field: str | None = None) -> tuple[str, str]:
        """What is not here, a command or a field of it, and the way round: what `unsupported` takes."""
        name = type(command).__name__
        if field is None:
            return name, self.lacks.get(name, "")
        return f"{field} on {name}", self.lacks.get(f"{name}.{field}") or self.lacks.get(field, "")

    def converted(self, command: Any) -> Flow[Any]:
        """The command with its pictures in the forms that the vendor takes."""
        return conversion.convert(command, self.takes, self.upload)

    def upload(self, picture: str, field: str) -> Flow[str]:
        """The address that the vendor gives a picture."""
        if Upload not in self.supports:
            raise self.unsupported(f"{field} by content", "it takes addresses alone: give an http(s) URL")
        task = yield from self.hosted(Upload(images=(picture,)))
        if not inputs.is_address(task.images[0]):
            raise MalformedReply(f"the vendor's address for {field} is none: {task.images[0]}", accepted="maybe")
        return task.images[0]

    def hosted(self, command: Upload) -> Flow[Task]:
        """The upload of a picture for another command, which has not left yet: however it fails, nothing is bought."""
        command = yield from self.converted(command)
        reply = yield msgspec.structs.replace(self.request(command), submits=False)
        return self.accepted(command, reply)

    def presses(self, command: Command) -> TypeGuard[ByButton]:
        """Whether a follow-up is said by pressing the parent's own button; `Unsupported` for what no button says."""
        support = self.supports.get(type(command))
        if not isinstance(command, ByButton) or support is None or support.level is not Level.EMULATED:
            return False
        for field in command.beyond_button:
            if getattr(command, field) not in (None, False):
                raise self.unsupported(*self.lack(command, field))
        return True

    def fetch(self, task_id: str) -> Flow[Task]:
        """The task as it stands."""
        raise self.unsupported("fetch")

    def fetch_many(self, task_ids: Sequence[str]) -> Flow[list[Task]]:
        """Those of the tasks that the vendor knows, in the vendor's order; one by one where it has no list."""
        found: list[Task] = []
        for task_id in task_ids:
            try:
                found.append((yield from self.fetch(task_id)))
            except TaskNotFound:
                continue
        return found

    def blames_command(self, task: Task) -> bool:
        """Whether a failed task's reason is the prompt, a picture or a parameter, and no fault of the vendor's."""
        reason = (task.fail_reason or "").lower()
        return any(word in reason for word in self.command_faults)

    def seed(self, task_id: str) -> Flow[str]:
        """The seed of a finished task."""
        raise self.unsupported("seed")

    def image(self, task_id: str) -> Flow[bytes]:
        """The task's picture through the vendor's own image proxy."""
        raise self.unsupported("image")

    def probe(self) -> Flow[None]:
        """One free read that tells whether the vendor can be reached and takes the key; raises what is wrong."""
        try:
            yield from self.fetch(self.new_task_id(0, 0))
        except TaskNotFound:
            # That there is no such task is the answer of a vendor who knows the caller.
            return

    def error(self, response: HttpResponse) -> MJBridgeError | None:
        """The error a reply stands for, None for none: the vendor's code decides, then the HTTP status."""
        complaint = self.complaint(response)
        if complaint is None and response.ok:
            return None
        if complaint is None and not _speaks_for_itself(response.status):
            return response.malformed(_foreign(response))
        status = _told_status(complaint) or response.status
        keys = (*complaint.keys, complaint.code, f"HTTP {status}") if complaint else ()
        known = next((self.refusals[key] for key in keys if key in self.refusals), None)
        category = known.category if known else _status_category(status)
        return category(
            complaint.message if complaint else "the vendor answered without its own error object",
            http_status=response.status,
            vendor_code=complaint.code if complaint else "",
            retry_after=response.retry_after,
            body=response.text,
            accepted=_accepted(status if response.ok else response.status, complaint, known),
        )

    def complaint(self, response: HttpResponse) -> Complaint | None:
        """The vendor's own error object in a reply, None where there is none."""
        return None

    # Records: both ways.

    def normalize(self, record: Record) -> Task:
        """A record as a task, `raw` kept. Total: only what is no task record at all raises `MalformedRecord`."""
        raise self.unsupported("normalize")

    def normalizer(self, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None) -> Callable[[Record], Task]:
        """`normalize`, bound once for hot loops, with or without `raw`; doubtful values go to `on_doubt`."""
        if keep_raw:
            return self.normalize
        return lambda record: msgspec.structs.replace(self.normalize(record), raw=NO_RAW)

    def render(self, task: Task) -> dict[str, Any]:
        """The inverse of `normalize`, for what the dialect can carry."""
        raise self.unsupported("render")

    def matches(self, record: Mapping[str, Any]) -> Match:
        """Whether a decoded record is of this dialect: by `signs`, unless a provider knows it by more."""
        key = next((key for key in self.signs.keys if key in record), None)
        if key is not None:
            return Match(Certainty.CERTAIN, f"the key {key}")
        is_ours = bool(self.signs.ids) and str(record.get("id", "")).startswith(self.signs.ids)
        return Match(Certainty.CERTAIN, "an id of its form") if is_ours else NO_MATCH

    def recognizer(
        self, foreign: Signs, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None
    ) -> Recognizer | None:
        """For detection in hot loops: reads bytes that are this dialect beyond doubt, and is None for any other record.

        `foreign` are the signs of all other providers: a record that shows one of them is in doubt. None where a
        provider has no such way: its records are found by `matches`.
        """
        return None

    # The server half: request -> command, task -> reply.

    def server(self, backend: "Backend", public_url: str) -> "DialectServer":
        """The vendor's API in front of `backend`; `public_url` begins the addresses it hands out."""
        raise self.unsupported("server")

    def new_task_id(self, milliseconds: int, serial: int) -> str:
        """A task id in the vendor's form, for the emulator: 16 digits, as the MJ-proxy family counts."""
        return f"{milliseconds:013d}{serial % 1000:03d}"

    def refuse_fields(self, command: Command, *names: str, way_round: str = "") -> None:
        """Raise `Unsupported` for the first of these fields that a command says and the dialect cannot."""
        for name in names:
            if getattr(command, name, None) is not None:
                raise self.unsupported(name, way_round)

    def unsupported(self, field: str, way_round: str = "") -> Unsupported:
        """The error for what this dialect cannot say."""
        return Unsupported(f"{self.name} has no {field}" + (f": {way_round}" if way_round else ""), provider=self.name)


def _accepted(status: int, complaint: Complaint | None, known: Refusal | None) -> Accepted:
    """What a reply that is no success proves of a submit: who takes a doubt for a refusal pays twice.

    A refusal is a row of `refusals`, a status that refuses by itself, or the vendor's own error object around a status
    that blames the request. A reply that names a task is none, nor is a time-out, an unknown code or a failure.
    """
    if status in _TIME_OUTS or (complaint and complaint.names_task):
        return "maybe"
    if known:
        return known.accepted
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
