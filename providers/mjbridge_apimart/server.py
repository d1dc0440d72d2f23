"""The server half: requests of the dialect to commands, tasks to records."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mjbridge import (
    AuthenticationError,
    Bot,
    Button,
    Command,
    ContentRejected,
    DialectServer,
    HttpRequest,
    HttpResponse,
    Imagine,
    InvalidCommand,
    MJBridgeError,
    Press,
    QuotaExceeded,
    RateLimited,
    Reroll,
    Status,
    TaskNotFound,
    Unavailable,
    Upscale,
    Vary,
    fields,
)
from mjbridge.provider import refusing, reply, required
from mjbridge_apimart import records
from mjbridge_apimart.client import GENERATIONS, PATHS_OF_KINDS


class APIMartServer(DialectServer):
    """https://docs.apimart.ai/en/api-reference/images/midjourney/generation and what it links to."""

    def imagine(self, request: HttpRequest) -> HttpResponse:
        """`POST /v1/midjourney/generations`, and the same with `/imagine`."""
        body = self.body(request)
        bot = Bot.NIJI.value if body.get("niji") is True else None
        return self._submit(Imagine(prompt=required(body, "prompt"), bot=bot, speed=_speed(body)))

    def follow_up(self, request: HttpRequest, action: str) -> HttpResponse:
        """`POST /v1/midjourney/generations/{action}`: by `custom_id`, which comes first, or by `index`."""
        body = self.body(request)
        task_id, custom_id = required(body, "task_id"), fields.text(body.get("custom_id"))
        if custom_id is not None:
            _check_kind(action, custom_id)
            return self._submit(Press(task_id=task_id, custom_id=custom_id, speed=_speed(body)))
        command = _BY_INDEX.get(action)
        if command is None:
            raise InvalidCommand("custom_id is required")
        return self._submit(command(task_id, fields.whole(body.get("index")) or 0, _speed(body)))

    def query(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """`GET /v1/midjourney/{task_id}`: the bare task."""
        return reply(self.provider.render(self.backend.fetch(task_id)))

    def unified_query(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """`GET /v1/tasks/{task_id}`: `{code, data}`."""
        return reply(records.render_unified(self.backend.fetch(task_id)))

    routes = (
        ("POST", rf"{GENERATIONS}(?:/imagine)?", imagine),
        ("POST", rf"{GENERATIONS}/(?P<action>[a-z-]+)", follow_up),
        ("GET", r"/v1/midjourney/(?P<task_id>[^/]+)", query),
        ("GET", r"/v1/tasks/(?P<task_id>[^/]+)", unified_query),
    )

    def _submit(self, command: Command) -> HttpResponse:
        task = self.backend.submit(command)
        status = "modal" if task.status is Status.NEEDS_INPUT else "submitted"
        return reply({"code": 200, "data": [{"status": status, "task_id": task.id}]})

    def refuse(self, error: MJBridgeError) -> HttpResponse:
        """`{error: {code, message, type}}` with the HTTP status of the table."""
        status, kind = next(
            (row for category, row in _STATUSES.items() if isinstance(error, category)), (503, "server_error")
        )
        return refusing(error, {"error": {"code": status, "message": error.message, "type": kind}}, status)


def _upscale(task_id: str, index: int, speed: str | None) -> Command:
    return Upscale(task_id=task_id, index=index, speed=speed)


def _vary(task_id: str, index: int, speed: str | None) -> Command:
    return Vary(task_id=task_id, index=index, speed=speed)


def _reroll(task_id: str, index: int, speed: str | None) -> Command:
    del index
    return Reroll(task_id=task_id, speed=speed)


_BY_INDEX: Final[Mapping[str, Callable[[str, int, str | None], Command]]] = {
    "upscale": _upscale,
    "variation": _vary,
    "reroll": _reroll,
}

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


def _check_kind(action: str, custom_id: str) -> None:
    kind = Button(custom_id).kind
    if not any(kind.startswith(start) and path == action for start, path in PATHS_OF_KINDS.items()):
        raise InvalidCommand(f"custom_id {custom_id} is not one of {action}")


def _speed(body: Mapping[str, Any]) -> str | None:
    return fields.text(body.get("speed"))
