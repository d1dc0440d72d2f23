"""The plugin contract: `Provider`, which speaks a vendor's dialect."""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, Final, TypeGuard, cast

import msgspec

from mjbridge import bodies, printing, settings, uploads
from mjbridge.bodies import Body
from mjbridge.commands import ByButton, Command, Upload
from mjbridge.doubts import OnDoubt
from mjbridge.errors import MalformedRecord, MalformedReply, MJBridgeError, TaskNotFound, Unsupported
from mjbridge.fields import Record
from mjbridge.pictures import inputs
from mjbridge.pictures.inputs import Takes
from mjbridge.refusals import COMMAND_FAULTS, Complaint, Refusal, error_of, names_task, object_in, slugs
from mjbridge.serving import Backend, DialectServer
from mjbridge.task import NO_RAW, Task
from mjbridge.wire import Flow, HttpRequest, HttpResponse

__all__ = [
    "API_VERSION",
    "COMMAND_FAULTS",
    "NO_MATCH",
    "NO_SIGNS",
    "Certainty",
    "Complaint",
    "Level",
    "Match",
    "NoOptions",
    "Provider",
    "Recognizer",
    "Refusal",
    "Signs",
    "Support",
    "names_task",
    "object_in",
    "slugs",
]

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

    A record that shows any of them is left to `matches`, which looks for an id under `id` and for a picture under
    `imageUrl`: a dialect that has them elsewhere writes its own.
    """

    keys: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


NO_SIGNS: Final = Signs()
Recognizer = Callable[[Record], Task | None]


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a provider that has none."""


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
        """The request with the key in a header, or what is signed with it: a body is sent as `request.content`."""
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
        return uploads.convert(command, self.takes, self.upload)

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
        return error_of(response, self.complaint(response), self.refusals)

    def complaint(self, response: HttpResponse) -> Complaint | None:
        """The vendor's own error object in a reply, None where there is none."""
        return None

    # Records: both ways.

    def normalize(self, record: Record) -> Task:
        """A record as a task, `raw` kept. Total: only what is no task record at all raises `MalformedRecord`."""
        raise self.unsupported("normalize")

    def normalizer(self, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None) -> Callable[[Record], Task]:
        """`normalize`, bound once for hot loops, with or without `raw`; doubtful values go to `on_doubt`.

        A record at which `normalize` itself fails is a `MalformedRecord` that says so: the others of its file are read.
        """

        def read(record: Record) -> Task:
            try:
                task = cast("object", self.normalize(record))
            except MJBridgeError:
                raise
            except Exception as error:
                fault = f"the provider failed at it: {printing.raised(error)}"
                raise MalformedRecord(fault, provider=self.name) from error
            if not isinstance(task, Task):
                fault = f"the provider failed at it: normalize gave {type(task).__name__} where Task belongs"
                raise MalformedRecord(fault, provider=self.name)
            return task if keep_raw else msgspec.structs.replace(task, raw=NO_RAW)

        return read

    def render(self, task: Task) -> dict[str, Any]:
        """The inverse of `normalize`, for what the dialect can carry."""
        raise self.unsupported("render")

    def matches(self, record: Mapping[str, Any]) -> Match:
        """Whether a decoded record is of this dialect: by `signs`, unless a provider knows it by more."""
        key = next((key for key in self.signs.keys if key in record), None)
        if key is not None:
            return Match(Certainty.CERTAIN, f"the key {key}")
        if str(record.get("id", "")).startswith(self.signs.ids):
            return Match(Certainty.CERTAIN, "an id of its form")
        if str(record.get("imageUrl", "")).startswith(self.signs.links):
            return Match(Certainty.CERTAIN, "imageUrl is a link of its own")
        return NO_MATCH

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
                raise self.unsupported(f"{name} on {type(command).__name__}", way_round)

    def unsupported(self, field: str, way_round: str = "") -> Unsupported:
        """The error for what this dialect cannot say."""
        return Unsupported(f"{self.name} has no {field}" + (f": {way_round}" if way_round else ""), provider=self.name)
