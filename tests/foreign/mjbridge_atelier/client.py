"""The client half: commands to requests, replies to tasks or errors."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec

from mjbridge import Backend, DialectServer, Flow, HttpRequest, HttpResponse, Provider, Support, Task, errors, fields
from mjbridge.bodies import Body, Key, whole, word
from mjbridge.commands import Command, Imagine, Reroll, Upscale, Vary
from mjbridge.provider import Complaint, Refusal, Signs, object_in
from mjbridge_atelier import records

# What each Verb takes beside its Pace, and which field of a command that is.
VERBS: Final[Mapping[str, tuple[type[Command], Mapping[str, Key]]]] = {
    "draw": (Imagine, {"prompt": Key("Brief")}),
    "enlarge": (Upscale, {"task_id": Key("Source"), "index": whole("Frame")}),
    "rework": (Vary, {"task_id": Key("Source"), "index": whole("Frame")}),
    "redo": (Reroll, {"task_id": Key("Source")}),
}
PACE: Final = {"speed": word("Pace", records.PACES)}
BODIES: Final = tuple(
    Body(kind=kind, path="/studio/prints", always={"Verb": verb}, keys={**keys, **PACE})
    for verb, (kind, keys) in VERBS.items()
)
REFUSALS: Final[Mapping[str, Refusal]] = {
    "bad-brief": Refusal(errors.InvalidCommand, "something in the request is wrong"),
    "who-are-you": Refusal(errors.AuthenticationError, "the pass is not known"),
    "empty-purse": Refusal(errors.QuotaExceeded, "the purse does not pay for it"),
    "no-such-print": Refusal(errors.TaskNotFound, "no print has this Ref"),
    "not-in-this-house": Refusal(errors.ContentRejected, "the brief is against the rules of the house"),
    "slow-down": Refusal(errors.RateLimited, "too many requests"),
    "press-is-full": Refusal(errors.Unavailable, "no press is free"),
}


class Atelier(Provider):
    """Every reply is `{Ok, Payload}` or `{Ok, Fault}` with HTTP 200; follow-ups name a verb and a frame."""

    name = "atelier"
    api_version = 1
    base_url = "https://atelier.example"
    supports: ClassVar = {kind: Support() for kind, _ in VERBS.values()}
    bodies = BODIES
    refusals = REFUSALS
    signs = Signs(keys=("Ref", "Payload"))

    def authorize(self, request: HttpRequest, key: str) -> HttpRequest:
        """The key has a header of its own."""
        return request.with_header("X-Atelier-Pass", key)

    def accepted(self, command: Command, reply: HttpResponse) -> Task:
        """A submit is answered with the new print."""
        return msgspec.structs.replace(self.normalize(reply.body), **command.promised())

    def fetch(self, task_id: str) -> Flow[Task]:
        """`GET /studio/print?Ref=...`."""
        reply = yield HttpRequest("GET", f"/studio/print?Ref={quote(task_id, safe='')}")
        return self.normalize(reply.body)

    def complaint(self, response: HttpResponse) -> Complaint | None:
        """`{Ok: false, Fault: {Kind, Text}}`."""
        fault = fields.mapping(object_in(response).get("Fault"))
        return Complaint(str(fault.get("Text")), str(fault.get("Kind"))) if fault else None

    def normalize(self, record: fields.Record) -> Task:
        """A print, bare or in a reply."""
        return records.read(self.name, record)

    def render(self, task: Task) -> dict[str, Any]:
        """A bare print."""
        return records.write(task)

    def server(self, backend: Backend, public_url: str) -> DialectServer:
        """Atelier's own API."""
        from mjbridge_atelier.server import AtelierServer  # noqa: PLC0415 only an emulator or a gateway needs it

        return AtelierServer(self, backend, public_url)
