"""The server half: requests to commands, tasks to replies."""

from typing import Final

from mjbridge import DialectServer, HttpRequest, HttpResponse, MJBridgeError
from mjbridge.serving import refusing, reply
from mjbridge_atelier.client import REFUSALS

_KINDS: Final = {refusal.category: kind for kind, refusal in REFUSALS.items()}


class AtelierServer(DialectServer):
    """Two paths: one for every command, one for every question."""

    def submit(self, request: HttpRequest) -> HttpResponse:
        """`POST /studio/prints`: `command` reads by the table that the client half writes by."""
        command = self.command(request, request.path, self.body(request))
        return self._print(self.backend.submit(command).id)

    def question(self, request: HttpRequest) -> HttpResponse:
        """`GET /studio/print?Ref=...`."""
        return self._print(self.parameters(request).get("Ref", ""))

    routes = (("POST", "/studio/prints", submit), ("GET", "/studio/print", question))

    def refuse(self, error: MJBridgeError) -> HttpResponse:
        """`{Ok: false, Fault}` with HTTP 200, whatever went wrong."""
        kind = _KINDS.get(type(error), "press-is-full")
        return refusing(error, {"Ok": False, "Fault": {"Kind": kind, "Text": error.message}}, 200)

    def _print(self, ref: str) -> HttpResponse:
        return reply({"Ok": True, "Payload": self.provider.render(self.backend.fetch(ref))})
