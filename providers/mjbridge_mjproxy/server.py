"""The server half of the MJ-proxy family: requests of the dialect to commands, tasks to records."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mjbridge import (
    AuthenticationError,
    Backend,
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
    Task,
    TaskNotFound,
    Unavailable,
    Upscale,
    Vary,
    fields,
)
from mjbridge.provider import picture, refusing, reply
from mjbridge_mjproxy import records
from mjbridge_mjproxy.client import FamilyProvider

_SUBMITTED: Final = 1
_MODAL: Final = 21

_BY_INDEX: Final[Mapping[str, type[Upscale | Vary]]] = {
    "UPSCALE": Upscale,
    "VARIATION": Vary,
    "U": Upscale,
    "V": Vary,
}
_SIMPLE_CHANGE: Final = re.compile(r"(?P<task_id>\S+) (?:(?P<action>[UV])(?P<index>[1-4])|R)", re.IGNORECASE)


class FamilyServer(DialectServer):
    """The endpoints of novicezk's controllers and what plus, trueai and new-api added."""

    def __init__(self, provider: FamilyProvider, backend: Backend, public_url: str) -> None:
        super().__init__(provider, backend, public_url)
        self._form = provider.form

    def imagine(self, request: HttpRequest, speed: str) -> HttpResponse:
        """`POST /mj/submit/imagine`."""
        body = self.body(request)
        bot = fields.word(body.get("botType"), records.BOTS) or None
        return self._submit(Imagine(prompt=_text(body, "prompt"), bot=bot, **self.common(body, speed)))

    def action(self, request: HttpRequest, speed: str) -> HttpResponse:
        """`POST /mj/submit/action`: press a button."""
        body = self.body(request)
        return self._submit(
            Press(task_id=_text(body, "taskId"), custom_id=_text(body, "customId"), **self.common(body, speed))
        )

    def change(self, request: HttpRequest, speed: str) -> HttpResponse:
        """`POST /mj/submit/change`: an action by its name and index."""
        body = self.body(request)
        common = self.common(body, speed)
        return self._submit(_change(_text(body, "taskId"), _text(body, "action"), body.get("index"), common))

    def simple_change(self, request: HttpRequest, speed: str) -> HttpResponse:
        """`POST /mj/submit/simple-change`: the same in one text, as in `1320098173412546 U2`."""
        body = self.body(request)
        found = _SIMPLE_CHANGE.fullmatch(_text(body, "content").strip())
        if found is None:
            raise InvalidCommand("content_parse_failed")
        common = self.common(body, speed)
        return self._submit(_change(found["task_id"], found["action"] or "REROLL", found["index"], common))

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
        ("POST", r"(?:/mj-(?P<speed>\w+))?/mj/submit/imagine", imagine),
        ("POST", r"(?:/mj-(?P<speed>\w+))?/mj/submit/action", action),
        ("POST", r"(?:/mj-(?P<speed>\w+))?/mj/submit/change", change),
        ("POST", r"(?:/mj-(?P<speed>\w+))?/mj/submit/simple-change", simple_change),
        ("GET", r"/mj/task/(?P<task_id>[^/]+)/fetch", fetch),
        ("POST", r"/mj/task/list-by-condition", list_by_condition),
        ("GET", r"/mj/task/(?P<task_id>[^/]+)/image-seed", seed),
        ("GET", r"/mj/image/(?P<task_id>[^/]+)", image),
    )

    def common(self, body: Mapping[str, Any], speed: str) -> dict[str, Any]:
        """The speed and state of any submit; the path's speed beats `accountFilter`'s, and that beats `mode`."""
        modes = fields.each(fields.mapping(body.get("accountFilter")).get("modes"))
        asked = speed or next(iter(modes), None) or body.get("mode")
        return {"speed": fields.word(asked, records.SPEEDS) or None, "state": fields.text(body.get("state"))}

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


def _change(task_id: str, action: str, index: object, common: Mapping[str, Any]) -> Command:
    if action.upper() == "REROLL":
        return Reroll(task_id=task_id, **common)
    kind = _BY_INDEX.get(action.upper())
    if kind is None:
        raise InvalidCommand("unknown_action")
    return kind(task_id=task_id, index=fields.whole(index) or 0, **common)


def _text(body: Mapping[str, Any], key: str) -> str:
    found = fields.text(body.get(key))
    if found is None:
        raise InvalidCommand(f"{_SNAKE.sub('_', key).lower()}_is_required")
    return found


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
