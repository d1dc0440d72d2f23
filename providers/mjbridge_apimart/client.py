"""The client half: commands to requests, replies to tasks or errors.

Source: https://docs.apimart.ai/en/api-reference/images/midjourney/ (imagine, upscale, variation, reroll, query,
workflow, best-practices). Submits answer at once; every result is polled.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec

from mjbridge import (
    Backend,
    Bot,
    Button,
    Command,
    ContentRejected,
    DialectServer,
    Flow,
    HttpRequest,
    HttpResponse,
    Imagine,
    InvalidCommand,
    Match,
    Press,
    Provider,
    RateLimited,
    Reroll,
    Support,
    Task,
    TaskNotFound,
    Unavailable,
    Upscale,
    Vary,
    fields,
)
from mjbridge.fields import Record
from mjbridge.provider import COMMAND_FAULTS, Complaint, Recognizer, Refusal, Signs, object_in
from mjbridge_apimart import records

GENERATIONS: Final = "/v1/midjourney/generations"

# There is no path for any button: each kind has its own. The kind begins so.
PATHS_OF_KINDS: Final[Mapping[str, str]] = {
    "upsample": "upscale",
    "variation": "variation",
    "high_variation": "high-variation",
    "low_variation": "low-variation",
    "reroll": "reroll",
    "outpaint": "zoom",
    "customzoom": "zoom",
    "pan_": "pan",
    "inpaint": "inpaint",
}

# 21 is MODAL, which waits for input, and is accepted: best-practices.
_ACCEPTED: Final = frozenset({200, 1, 21, 22})

REFUSALS: Final[Mapping[str, Refusal]] = {
    # Codes in words: `error.code`, or the beginning of `error.message`.
    "get_channel_failed": Refusal(Unavailable, "no channel is free, told with HTTP 400"),
    "build_request_failed": Refusal(InvalidCommand, "a parameter is wrong, told with HTTP 500"),
    "idempotency_in_progress": Refusal(RateLimited, "the same request is still running"),
    "idempotency_key_reused": Refusal(InvalidCommand, "another request had this key"),
    "idempotency_unavailable": Refusal(Unavailable, "the request was not run"),
    "idempotency_result_indeterminate": Refusal(Unavailable, "the platform itself cannot tell", accepted="maybe"),
    "task_failed": Refusal(Unavailable, "the platform could not run it"),
    # Numeric business codes: https://docs.apimart.ai/en/api-reference/images/midjourney/best-practices
    "3 of a task": Refusal(TaskNotFound, "the text speaks of a task: it, or the parent, is unknown"),
    "3": Refusal(Unavailable, "no Midjourney instance is free"),
    "4": Refusal(InvalidCommand, "a parameter is wrong, or the parent is not finished"),
    "9": Refusal(Unavailable, "the service refused"),
    "24": Refusal(ContentRejected, "a banned prompt; refunded"),
    "HTTP 422": Refusal(ContentRejected, "moderation refused the prompt or a picture; refunded"),
}


class APIMart(Provider):
    """One path an action, ids in `data[0].task_id`, and two shapes of query that `normalize` reads alike."""

    name = "apimart"
    api_version = 1
    base_url = "https://api.apimart.ai"
    supports: ClassVar = {
        Imagine: Support(),
        Press: Support(note="upscales, variations, reroll, zoom, pan and inpaint"),
        Upscale: Support(),
        Vary: Support(),
        Reroll: Support(),
    }
    refusals = REFUSALS
    # The engine's refusal of a parameter comes only with the failed task: "upstream code=4: ...".
    command_faults = (*COMMAND_FAULTS, "code=4")
    signs = records.SIGNS
    # "3-5 s; faster is pointless": https://docs.apimart.ai/en/api-reference/images/midjourney/query
    poll_interval = 4.0

    def request(self, command: Command) -> HttpRequest:
        """A path of its own for each command."""
        self.refuse_fields(
            command, "state", way_round="it does not say that it echoes anything; extra = {'metadata': ...} is stored"
        )
        path, body = _BODIES[type(command)](self, command)
        if command.speed is not None:
            body["speed"] = command.speed
        return HttpRequest("POST", path, json={**body, **command.extra}, submits=True)

    def accepted(self, command: Command, reply: HttpResponse) -> Task:
        """`{code, data: [{status, task_id}]}`, which inpaint answers in two more forms."""
        told = _entry(fields.mapping(reply.json()))
        if fields.text(told.get("task_id")) is None:
            raise reply.malformed("the submit answer names no task_id")
        task = self.normalize({"task_id": told["task_id"], "status": told.get("status")})
        return msgspec.structs.replace(task, **command.promised(), raw=fields.raw(reply.body))

    def fetch(self, task_id: str) -> Flow[Task]:
        """`GET /v1/midjourney/{task_id}`: the query with buttons. A task is kept for three days, then 404."""
        reply = yield HttpRequest("GET", f"/v1/midjourney/{quote(task_id, safe='')}")
        return self.normalize(reply.body)

    # Many are fetched one by one: no page tells what `POST /v1/tasks/batch` takes.

    def complaint(self, response: HttpResponse) -> Complaint | None:
        """`{error: {code, message, type}}` in its variants, or a refusing `{code, description}`."""
        document = object_in(response)
        error = document.get("error")
        if isinstance(error, str) and error:
            error = {"message": error}
        if fields.is_object(error) and "status" not in document:
            return _complaint(error)
        code = fields.text(document.get("code"))
        if code is None or fields.whole(code) in _ACCEPTED or "task_id" in _entry(document):
            return None
        return _complaint(document)

    def normalize(self, record: Record) -> Task:
        """A record of the Midjourney query, the unified query or the webhook."""
        return self.normalizer()(record)

    def normalizer(self, *, keep_raw: bool = True) -> Callable[[Record], Task]:
        """`normalize`, bound once."""
        return records.normalizer(self.name, keep_raw=keep_raw)

    def recognizer(self, foreign: Signs, *, keep_raw: bool = True) -> Recognizer:
        """Records with its key, or ids of its form."""
        return records.recognizer(self.name, foreign, keep_raw=keep_raw)

    def render(self, task: Task) -> dict[str, Any]:
        """A record of the Midjourney query."""
        return records.render(task)

    def matches(self, record: Mapping[str, Any]) -> Match:
        """By `grid_image_url`, the form of the id, or the unified shape."""
        return records.matches(record)

    def server(self, backend: Backend, public_url: str) -> DialectServer:
        """APIMart's own API."""
        from mjbridge_apimart.server import APIMartServer  # noqa: PLC0415 only an emulator or a gateway needs the server half

        return APIMartServer(self, backend, public_url)

    def new_task_id(self, milliseconds: int, serial: int) -> str:
        """`task_` and a ULID: ten digits of time, sixteen that here count."""
        return f"task_{_crockford(milliseconds, 10)}{_crockford(serial, 16)}"


Body = dict[str, Any]


def _imagine(provider: APIMart, command: Imagine) -> tuple[str, Body]:
    del provider
    # niji's version is 7 or 6, from `version` or the prompt's own flags.
    return GENERATIONS, {"prompt": command.prompt} | ({"niji": True} if command.bot == Bot.NIJI else {})


def _press(provider: APIMart, command: Press) -> tuple[str, Body]:
    kind = Button(command.custom_id).kind
    action = next((path for start, path in PATHS_OF_KINDS.items() if kind.startswith(start)), None)
    if action is None:
        raise provider.unsupported(f"path for the button {kind or command.custom_id!r}")
    return f"{GENERATIONS}/{action}", {"task_id": command.task_id, "custom_id": command.custom_id}


def _indexed(provider: APIMart, command: Upscale | Vary) -> tuple[str, Body]:
    del provider
    return f"{GENERATIONS}/{command.action}", {"task_id": command.task_id, "index": command.index}


def _reroll(provider: APIMart, command: Reroll) -> tuple[str, Body]:
    del provider
    return f"{GENERATIONS}/reroll", {"task_id": command.task_id}


_BODIES: Final[Mapping[type[Command], Callable[[APIMart, Any], tuple[str, Body]]]] = {
    Imagine: _imagine,
    Press: _press,
    Upscale: _indexed,
    Vary: _indexed,
    Reroll: _reroll,
}


def _entry(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a submit answer says of its task: `data[0]`, or the answer itself."""
    return fields.mapping(next(iter(fields.each(answer.get("data"))), answer))


_OF_A_TASK: Final = re.compile("task|parent", re.IGNORECASE)


def _complaint(error: Mapping[str, Any]) -> Complaint:
    """Codes come as numbers, words, numeric text, `""` or not at all."""
    message = fields.text(error.get("message")) or fields.text(error.get("description")) or "the vendor gives no reason"
    code = fields.text(error.get("code")) or fields.text(error.get("type")) or ""
    slug = message.partition(":")[0].strip()
    return Complaint(message, code, (slug, f"{code} of a task") if _OF_A_TASK.search(message) else (slug,))


_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _crockford(number: int, length: int) -> str:
    return "".join(_CROCKFORD[number >> 5 * place & 31] for place in reversed(range(length)))
