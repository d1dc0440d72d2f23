"""`DialectServer`, the other half of a provider: requests of its dialect to commands, tasks to replies."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from mjbridge import bodies, fields
from mjbridge.commands import Command
from mjbridge.errors import InvalidCommand, MJBridgeError
from mjbridge.pictures import inputs
from mjbridge.task import Task
from mjbridge.wire import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from mjbridge.provider import Provider


class Backend(Protocol):
    """What stands behind a dialect server: a simulator, or a bridge."""

    def submit(self, command: Command) -> Task:
        """Accept a command."""
        ...

    def fetch(self, task_id: str) -> Task:
        """The task; `TaskNotFound` if unknown."""
        ...

    def fetch_many(self, task_ids: Sequence[str]) -> list[Task]:
        """Those of the tasks that are known."""
        ...

    def seed(self, task_id: str) -> str:
        """The seed of a finished task."""
        ...

    def image(self, task_id: str) -> bytes:
        """The picture of a finished task."""
        ...

    def content(self, url: str) -> bytes:
        """What is behind an address that the caller of the API gave."""
        ...


Answer = Callable[..., HttpResponse]


class DialectServer:
    """A vendor's API: a request in its dialect becomes a command to the backend, the task becomes a reply.

    A subclass states its `routes` and writes `refuse`; the groups of a route's pattern are the arguments of its answer.
    """

    routes: ClassVar[Sequence[tuple[str, str, Answer]]] = ()
    """Method, pattern of the whole path without its query, and the method that answers."""

    def __init__(self, provider: "Provider", backend: Backend, public_url: str) -> None:
        self.provider = provider
        self.backend = backend
        self.public_url = public_url
        self.bodies = provider.bodies

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request; every `MJBridgeError` becomes the vendor's own refusal."""
        try:
            path = request.path.partition("?")[0]
            for method, pattern, answer in self.routes:
                found = re.fullmatch(pattern, path)
                if found and method == request.method:
                    return answer(
                        self, request, **{name: unquote(part or "") for name, part in found.groupdict().items()}
                    )
            self.no_route(request)
        except MJBridgeError as error:
            return self.refuse(error)

    def refuse(self, error: MJBridgeError) -> HttpResponse:
        """The vendor's reply for an error: the inverse of `Provider.error`."""
        raise self.provider.unsupported("refuse")

    def parameters(self, request: HttpRequest) -> dict[str, str]:
        """What stands behind the `?` of the request's path."""
        return dict(parse_qsl(request.path.partition("?")[2]))

    def body(self, request: HttpRequest) -> dict[str, Any]:
        """The request's JSON object; `InvalidCommand` for anything else."""
        if not fields.is_object(request.json):
            raise InvalidCommand("the body is not a JSON object")
        return fields.mapping(request.json)

    def command(self, request: HttpRequest, path: str, document: Mapping[str, Any], **more: Any) -> Command:
        """The command that a request says, by the provider's `bodies`; `more` are fields that stand elsewhere."""
        found = bodies.read(self.bodies, path, document)
        if isinstance(found, str):
            if not found:
                self.no_route(request)
            raise self.missing(found)
        body, told = found
        command = body.kind(**{**told, **{name: value for name, value in more.items() if value is not None}})
        if not body.where(command):
            raise InvalidCommand(f"{request.path} does not take this: {command!r}")
        return command

    def missing(self, key: str) -> InvalidCommand:
        """The vendor's complaint about a key that is not there."""
        return InvalidCommand(f"{key} is required")

    def no_route(self, request: HttpRequest) -> NoReturn:
        """The vendor's complaint about a path that it does not have."""
        raise InvalidCommand(f"{self.provider.name} has no {request.method} {request.path}")


def reply(document: object, status: int = 200, headers: Mapping[str, str] = {}) -> HttpResponse:
    """A JSON reply."""
    return HttpResponse(status, msgspec.json.encode(document), {"content-type": "application/json", **headers})


def refusing(error: MJBridgeError, document: object, status: int) -> HttpResponse:
    """A JSON reply that refuses, with the error's `Retry-After` in whole seconds, as HTTP wants it."""
    headers = {} if error.retry_after is None else {"retry-after": str(math.ceil(error.retry_after))}
    return reply(document, status, headers)


def picture(content: bytes) -> HttpResponse:
    """A picture's reply."""
    return HttpResponse(200, content, {"content-type": f"image/{inputs.picture_type(content) or 'png'}"})
