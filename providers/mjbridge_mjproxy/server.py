"""The server half of the MJ-proxy family: requests of the dialect to commands, tasks to records."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mjbridge import (
    AuthenticationError,
    Backend,
    Cancel,
    Command,
    ContentRejected,
    DialectServer,
    HttpRequest,
    HttpResponse,
    InvalidCommand,
    MJBridgeError,
    QuotaExceeded,
    RateLimited,
    Status,
    Task,
    TaskNotFound,
    Unavailable,
    Upload,
    fields,
)
from mjbridge.serving import picture, refusing, reply
from mjbridge_mjproxy import forms, records
from mjbridge_mjproxy.bodies import CHANGES, DESCRIBE_LINK
from mjbridge_mjproxy.client import FamilyProvider

_SUBMITTED: Final = 1
_MODAL: Final = 21

_ACTIONS: Final = {"U": "UPSCALE", "V": "VARIATION", "R": "REROLL"}
_SIMPLE_CHANGE: Final = re.compile(r"(?P<task_id>\S+) (?:(?P<action>[UV])(?P<index>[1-4])|R)", re.IGNORECASE)


class FamilyServer(DialectServer):
    """The endpoints of novicezk's controllers and what plus, trueai and new-api added."""

    def __init__(self, provider: FamilyProvider, backend: Backend, public_url: str) -> None:
        super().__init__(provider, backend, public_url)
        self._form = provider.form
        # Applications of the whole family also say an action by its name, and describe what is behind a link.
        self.bodies = (DESCRIBE_LINK, *provider.bodies, *CHANGES)

    def submit(self, request: HttpRequest, speed: str, path: str) -> HttpResponse:
        """`POST /mj/submit/...` and `/mj/insight-face/swap`."""
        body = self.body(request)
        return self._submit(self.command(request, path, body, speed=self.speed(body, speed)))

    def body(self, request: HttpRequest) -> dict[str, Any]:
        """The request's JSON object, or its form."""
        return dict(forms.read(request)) if request.form else super().body(request)

    def simple_change(self, request: HttpRequest, speed: str) -> HttpResponse:
        """`POST /mj/submit/simple-change`: a change in one text, as in `1320098173412546 U2`."""
        body = self.body(request)
        found = _SIMPLE_CHANGE.fullmatch((fields.text(body.get("content")) or "").strip())
        if found is None:
            raise InvalidCommand("content_parse_failed")
        action = _ACTIONS[(found["action"] or "R").upper()]
        change = {**body, "taskId": found["task_id"], "action": action, "index": found["index"]}
        return self._submit(self.command(request, "/mj/submit/change", change, speed=self.speed(body, speed)))

    def cancel(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """`POST /mj/task/{id}/cancel`."""
        if Cancel not in self.provider.supports:
            self.no_route(request)
        self.backend.submit(Cancel(task_id=task_id))
        return reply({"code": 1, "description": "success"})

    def fetch(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """`GET /mj/task/{id}/fetch`."""
        return reply(self.record(self.backend.fetch(task_id)))

    def list_by_condition(self, request: HttpRequest) -> HttpResponse:
        """`POST /mj/task/list-by-condition`: a bare array."""
        task_ids = [text for each in fields.each(self.body(request).get("ids")) if (text := fields.text(each))]
        return reply([self.record(task) for task in self.backend.fetch_many(task_ids)])

    def seed(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """`GET /mj/task/{id}/image-seed`."""
        return reply({"code": 1, "description": "", "result": self.backend.seed(task_id)})

    def image(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """`GET /mj/image/{id}`: the picture itself."""
        return picture(self.backend.image(task_id))

    routes = (
        ("POST", r"(?:/mj-(?P<speed>\w+))?/mj/submit/simple-change", simple_change),
        ("POST", r"(?:/mj-(?P<speed>\w+))?(?P<path>/mj/(?:submit|insight-face)/[a-z-]+)", submit),
        ("POST", r"/mj/task/(?P<task_id>[^/]+)/cancel", cancel),
        ("GET", r"/mj/task/(?P<task_id>[^/]+)/fetch", fetch),
        ("POST", r"/mj/task/list-by-condition", list_by_condition),
        ("GET", r"/mj/task/(?P<task_id>[^/]+)/image-seed", seed),
        ("GET", r"/mj/image/(?P<task_id>[^/]+)", image),
    )

    def speed(self, body: Mapping[str, Any], path: str) -> str | None:
        """The speed of any submit; the path's beats `accountFilter`'s, and that beats `mode`."""
        modes = fields.each(fields.mapping(body.get("accountFilter")).get("modes"))
        return fields.word(path or next(iter(modes), None) or body.get("mode"), records.SPEEDS) or None

    def missing(self, key: str) -> InvalidCommand:
        """new-api's words for a key that is not there."""
        return InvalidCommand(f"{_SNAKE.sub('_', key).lower()}_is_required")

    def record(self, task: Task) -> dict[str, Any]:
        """A task as this vendor writes it."""
        if self._form.proxied:
            link = f"{self.public_url}/mj/image/{task.id}"
            task = msgspec.structs.replace(
                task, image_url=task.image_url and link, preview_url=task.preview_url and link
            )
        return self.provider.render(task)

    def _submit(self, command: Command) -> HttpResponse:
        task = self.backend.submit(command)
        if isinstance(command, Upload):
            return reply({"code": 1, "description": "Submit success", "result": list(task.image_urls)})
        code = _MODAL if task.status is Status.NEEDS_INPUT else _SUBMITTED
        return reply({"code": code, "description": "Submit success", "result": task.id, "properties": {}})

    def refuse(self, error: MJBridgeError) -> HttpResponse:
        """A refusing submit code where the family has one, else the HTTP status and body of new-api."""
        for category, (status, body) in _REFUSALS.items():
            if isinstance(error, category):
                return refusing(error, {**body, "description": body["description"] or error.message}, status)
        status, kind = next(
            (row for category, row in _GATEWAY.items() if isinstance(error, category)), (503, "upstream_error")
        )
        return refusing(error, {"error": {"message": error.message, "type": kind}}, status)


_SNAKE: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")

# Each comes back as the same category through the client half's REFUSALS.
_REFUSALS: Final[Mapping[type[MJBridgeError], tuple[int, dict[str, Any]]]] = {
    ContentRejected: (200, {"code": 24, "description": "", "properties": {}}),
    TaskNotFound: (400, {"code": 4, "description": "task_no_found ", "type": "upstream_error"}),
    QuotaExceeded: (400, {"code": 4, "description": "quota_not_enough ", "type": "upstream_error"}),
    InvalidCommand: (400, {"code": 4, "description": "", "type": "upstream_error"}),
    Unavailable: (200, {"code": 23, "description": "", "result": None}),
}
_GATEWAY: Final[Mapping[type[MJBridgeError], tuple[int, str]]] = {
    AuthenticationError: (401, "new_api_error"),
    RateLimited: (429, "new_api_error"),
}
