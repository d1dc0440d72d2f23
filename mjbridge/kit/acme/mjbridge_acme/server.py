"""The server half: requests to commands, tasks to replies. The emulator is this in front of a simulated Midjourney."""

from collections.abc import Mapping
from typing import Final

from mjbridge import DialectServer, HttpRequest, HttpResponse, MJBridgeError, errors
from mjbridge.serving import refusing, reply

# Each comes back as the same category through REFUSALS.
_REFUSALS: Final[Mapping[type[MJBridgeError], tuple[int, str]]] = {
    errors.InvalidCommand: (400, "bad_request"),
    errors.AuthenticationError: (401, "bad_key"),
    errors.QuotaExceeded: (402, "no_credit"),
    errors.TaskNotFound: (404, "no_job"),
    errors.ContentRejected: (422, "banned"),
    errors.RateLimited: (429, "slow_down"),
}


class Server(DialectServer):
    """The API of https://docs.acme.example, as far as the client half uses it."""

    def submit(self, request: HttpRequest) -> HttpResponse:
        """`POST /v1/jobs` and `POST /v1/buttons`: `command` reads by the table that the client half writes by."""
        command = self.command(request, request.path, self.body(request))
        return reply(self.provider.render(self.backend.submit(command)))

    def fetch(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """`GET /v1/jobs/{id}`."""
        return reply(self.provider.render(self.backend.fetch(task_id)))

    routes = (
        ("POST", "/v1/(?:jobs|buttons)", submit),
        ("GET", r"/v1/jobs/(?P<task_id>[^/]+)", fetch),
    )

    def refuse(self, error: MJBridgeError) -> HttpResponse:
        """`{error: {code, message}}` with an HTTP status."""
        status, code = _REFUSALS.get(type(error), (503, "busy"))
        return refusing(error, {"error": {"code": code, "message": error.message}}, status)
