"""Fixtures as data: what is sent, what comes back, and what a record means.

A folder of fixtures holds

    requests/*.json   a `Conversation` for every command and read: whole requests, and the result
    replies/*.json    a `Conversation` for every reply of interest: the result or the error it becomes
    records/*.json    a record, or a list of them, exactly as the vendor wrote it; beside it
    records/*.task.json   a `RecordCase`: the canonical task (or tasks) it must become
"""

from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from mjbridge.errors import Accepted
from mjbridge.task import Task
from mjbridge.wire import Attachment, HttpResponse

Kind = TypeVar("Kind")
_TASK: Final = ".task.json"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fixture's facts come from, when they were read, and what it stands for."""

    source: str
    date: str
    about: str


class FixtureReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reply: its body as `json`, or as `text` where it is not JSON."""

    status: int = 200
    headers: dict[str, str] = {}
    json: msgspec.Raw = msgspec.Raw()
    text: str = ""

    def response(self) -> HttpResponse:
        """The reply as a transport gives it."""
        return HttpResponse(self.status, bytes(self.json) or self.text.encode(), self.headers)


class FixtureRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request, whole; the key's header is not part of it."""

    method: str
    path: str
    json: Any = None
    attachment: Attachment | None = None
    form: dict[str, str] = {}


Operation = Literal["submit", "fetch", "fetch_many", "seed", "image"]


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request and its reply."""

    request: FixtureRequest
    reply: FixtureReply


class ExpectedError(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An error as the caller sees it."""

    category: str
    accepted: Accepted = "no"
    http_status: int | None = None
    vendor_code: str = ""
    retry_after: float | None = None


class Conversation(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operation of an account, what goes over the wire, and what comes of it: `result` or `error`.

    `operation` is a method of `mjbridge.account.Account` and `argument` what it is called with: a command (an object
    with its name under `command`), an id, or a list of ids.
    """

    name: str = ""
    options: dict[str, Any] = {}
    operation: Operation
    argument: Any
    exchange: list[Turn]
    pictures: dict[str, bytes] = {}
    result: msgspec.Raw = msgspec.Raw()
    error: ExpectedError | None = None

    def __post_init__(self) -> None:
        if bool(bytes(self.result)) == bool(self.error):
            raise ValueError("a conversation ends in a result or in an error: state one of them")


class RecordCase(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records as a vendor wrote them, byte for byte, and the tasks they must become."""

    name: str = ""
    records: list[bytes] = []
    tasks: list[Task]


def conversations(folder: Path) -> list[Conversation]:
    """All of a folder's requests and replies, by name. `ValueError` names the file that is none."""
    paths = sorted([*folder.glob("requests/*.json"), *folder.glob("replies/*.json")])
    return [
        msgspec.structs.replace(_read(path, Conversation), name=f"{path.parent.name}/{path.stem}") for path in paths
    ]


def record_cases(folder: Path) -> list[RecordCase]:
    """All of a folder's records with the tasks they must become, by name. `ValueError` names the file that is none."""
    names = {path.name.removesuffix(_TASK).removesuffix(".json") for path in folder.glob("records/*.json")}
    return [_record_case(folder / "records", name) for name in sorted(names)]


def _record_case(folder: Path, name: str) -> RecordCase:
    path, task = folder / f"{name}.json", folder / f"{name}{_TASK}"
    for one, other in ((path, task), (task, path)):
        if not one.exists():
            raise ValueError(
                f"{one} is not there: a record and the task it must become lie side by side ({other.name})"
            )
    written = path.read_bytes().strip()
    records = _read(path, list[msgspec.Raw]) if written.startswith(b"[") else [written]
    return msgspec.structs.replace(_read(task, RecordCase), name=name, records=[bytes(each) for each in records])


def _read(path: Path, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
