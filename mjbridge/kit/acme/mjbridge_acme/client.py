"""The client half: commands to requests, replies to tasks or errors.

Source: https://docs.acme.example
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec

from mjbridge import (
    Backend,
    DialectServer,
    Flow,
    HttpRequest,
    HttpResponse,
    Level,
    Provider,
    Support,
    Task,
    errors,
    fields,
)
from mjbridge.bodies import Body, Key
from mjbridge.commands import Command, Imagine, Press, Reroll, Upscale, Vary
from mjbridge.provider import Complaint, Refusal, Signs, object_in
from mjbridge_acme import records

# How each command is written: the field of the command, and the key it stands under. Both halves read this table, and a
# field that has no key here is refused by name, never dropped.
COMMON: Final = {"speed": Key("speed"), "state": Key("state")}
BODIES: Final = (
    Body(kind=Imagine, path="/v1/jobs", keys={"prompt": Key("prompt"), **COMMON}),
    Body(kind=Press, path="/v1/buttons", keys={"task_id": Key("job"), "custom_id": Key("customId"), **COMMON}),
)

# Every code the vendor's page lists, and what the caller can do about it.
REFUSALS: Final[Mapping[str, Refusal]] = {
    "bad_request": Refusal(errors.InvalidCommand, "something in the request is wrong"),
    "bad_key": Refusal(errors.AuthenticationError, "the key is not known"),
    "no_credit": Refusal(errors.QuotaExceeded, "the balance does not pay for it"),
    "no_job": Refusal(errors.TaskNotFound, "no job has this id"),
    "banned": Refusal(errors.ContentRejected, "moderation refused the prompt"),
    "slow_down": Refusal(errors.RateLimited, "too many requests"),
    "busy": Refusal(errors.Unavailable, "the queue is full"),
}

BY_BUTTON: Final = Support(Level.EMULATED, "found among the job's buttons")


class AcmeProvider(Provider):
    """A job is made by one POST and polled by GET; follow-ups press the job's buttons."""

    name = "acme"
    api_version = 1
    base_url = "https://api.acme.example"
    # A command that is not here is unsupported. EMULATED: `Provider.submit` fetches the parent and presses its button.
    supports: ClassVar = {
        Imagine: Support(),
        Press: Support(),
        Upscale: BY_BUTTON,
        Vary: BY_BUTTON,
        Reroll: BY_BUTTON,
    }
    bodies = BODIES
    refusals = REFUSALS
    # What only this vendor's records show: by it a record is known when nobody says whose it is.
    signs = Signs(ids=("acme-",))
    poll_interval = 3.0

    def accepted(self, command: Command, reply: HttpResponse) -> Task:
        """A submit is answered with the new job, which does not repeat what was asked."""
        return msgspec.structs.replace(self.normalize(reply.body), **command.promised())

    def fetch(self, task_id: str) -> Flow[Task]:
        """`GET /v1/jobs/{id}`."""
        reply = yield HttpRequest("GET", _job(task_id))
        return self.normalize(reply.body)

    def complaint(self, response: HttpResponse) -> Complaint | None:
        """`{error: {code, message}}`, with any HTTP status."""
        error = fields.mapping(object_in(response).get("error"))
        if not error:
            return None
        return Complaint(fields.text(error.get("message")) or "no reason given", fields.text(error.get("code")) or "")

    def normalize(self, record: fields.Record) -> Task:
        """A job, from a poll, a callback or a store."""
        return records.read(self.name, record)

    def render(self, task: Task) -> dict[str, Any]:
        """A job."""
        return records.write(task)

    def server(self, backend: Backend, public_url: str) -> DialectServer:
        """The vendor's own API, for the emulator."""
        from mjbridge_acme.server import Server  # noqa: PLC0415 only an emulator or a gateway needs it

        return Server(self, backend, public_url)

    def new_task_id(self, milliseconds: int, serial: int) -> str:
        """An id in the vendor's form, for the emulator."""
        return f"acme-{milliseconds}-{serial}"


def _job(task_id: str) -> str:
    return f"/v1/jobs/{quote(task_id, safe='')}"
