"""The server half: requests of the dialect to commands, tasks to records."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mjbridge import (
    AuthenticationError,
    Bot,
    Command,
    Confirm,
    ContentRejected,
    DialectServer,
    HttpRequest,
    HttpResponse,
    InvalidCommand,
    MJBridgeError,
    QuotaExceeded,
    RateLimited,
    Status,
    TaskNotFound,
    Unavailable,
    Upload,
    fields,
)
from mjbridge.commands import PARAMETERS, Drawing
from mjbridge.pictures import inputs, masks
from mjbridge.serving import refusing, reply
from mjbridge_apimart import records
from mjbridge_apimart.bodies import GENERATIONS
from mjbridge_apimart.bodies import PARAMETERS as KEYS


class APIMartServer(DialectServer):
    """https://docs.apimart.ai/en/api-reference/images/midjourney/generation and what it links to."""

    def generation(self, request: HttpRequest) -> HttpResponse:
        """`POST /v1/midjourney/generations` and what is below it."""
        body = _with_its_flags(self.body(request))
        if body.get("size"):
            # "Free w:h, beats dimensions": blend's page.
            body.pop("dimensions", None)
        found = self.command(request, request.path, body)
        task = self.backend.submit(self._in_our_words(found))
        status = "modal" if task.status is Status.NEEDS_INPUT else "submitted"
        return reply({"code": 200, "data": [{"status": status, "task_id": task.id}]})

    def upload(self, request: HttpRequest) -> HttpResponse:
        """`POST /v1/uploads/images`: a form with one `file`."""
        file = request.attachment
        if file is None or file.field != "file":
            raise InvalidCommand("file is required")
        task = self.backend.submit(Upload(images=(file.content,)))
        told = {"filename": file.file_name, "content_type": file.content_type, "bytes": len(file.content)}
        return reply({"url": task.images[0], **told, "created_at": fields.seconds(task.submitted_at)})

    def query(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """`GET /v1/midjourney/{task_id}`: the bare task."""
        return reply(self.provider.render(self.backend.fetch(task_id)))

    def unified_query(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """`GET /v1/tasks/{task_id}`: `{code, data}`."""
        return reply(records.render_unified(self.backend.fetch(task_id)))

    routes = (
        ("POST", rf"{GENERATIONS}(?:/[a-z-]+)?", generation),
        ("POST", "/v1/uploads/images", upload),
        ("GET", r"/v1/midjourney/(?P<task_id>[^/]+)", query),
        ("GET", r"/v1/tasks/(?P<task_id>[^/]+)", unified_query),
    )

    def _in_our_words(self, command: Command) -> Command:
        """The version is niji's where niji draws, and white is what is repainted."""
        if isinstance(command, Drawing) and command.bot == Bot.NIJI and command.version:
            return msgspec.structs.replace(command, niji=command.version, version=None)
        if not isinstance(command, Confirm) or not command.mask:
            return command
        mask = str(command.mask)
        if inputs.is_address(mask):
            mask = inputs.data_uri(self.backend.content(mask), "mask_url")
        return msgspec.structs.replace(command, mask=masks.from_vendor(mask, self.provider.options.repaints))

    def refuse(self, error: MJBridgeError) -> HttpResponse:
        """`{error: {code, message, type}}` with the HTTP status of the table."""
        status, kind = next(
            (row for category, row in _STATUSES.items() if isinstance(error, category)), (503, "server_error")
        )
        return refusing(error, {"error": {"code": status, "message": error.message, "type": kind}}, status)


# What a body says that no field of a command does, and `extra`, which is appended as it is.
_FLAGS: Final[Mapping[str, str]] = {"dref": "--dref ", "dw": "--dw ", "extra": ""}


def _with_its_flags(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with the prompt that is drawn: "body value wins over the same flag hand-written in prompt"."""
    prompt = fields.text(body.get("prompt"))
    if prompt is None:
        return dict(body)
    given = (name for name, key in KEYS.items() if name in PARAMETERS and body.get(key.name) is not None)
    if beaten := {flag for name in given for flag in _flags(name)}:
        prompt = _FLAG.sub(lambda found: "" if found[1].lower() in beaten else found[0], prompt).rstrip()
    more = (f"{flag}{value}" for key, flag in _FLAGS.items() if (value := fields.text(body.get(key))))
    return {**body, "prompt": " ".join([prompt, *more])}


def _flags(name: str) -> tuple[str, ...]:
    return PARAMETERS[name].flag, *PARAMETERS[name].others


# A flag of a prompt and its value, which goes on until the next.
_FLAG: Final = re.compile(r"(?<!\S)(?:--|—)([A-Za-z]+)(?:\s+(?!--|—)\S+)*\s*")

# Each comes back as the same category through the client half.
_STATUSES: Final[Mapping[type[MJBridgeError], tuple[int, str]]] = {
    InvalidCommand: (400, "invalid_request_error"),
    AuthenticationError: (401, "authentication_error"),
    QuotaExceeded: (402, "payment_required"),
    TaskNotFound: (404, "not_found_error"),
    ContentRejected: (422, "invalid_request_error"),
    RateLimited: (429, "rate_limit_error"),
    Unavailable: (503, "server_error"),
}
