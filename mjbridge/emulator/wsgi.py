"""The emulator as a WSGI application, to mount on any server."""

import time
from collections.abc import Callable, Iterable
from http.client import responses
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from mjbridge import fields
from mjbridge.emulator.transport import Emulator
from mjbridge.wire import JSON_LIMIT, HttpRequest

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def application(emulator: Emulator, sleep: Callable[[float], None] = time.sleep) -> "WSGIApplication":
    """`emulator` behind HTTP."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        sleep(emulator.delay())
        response = emulator.handle(_request(environ))
        status = f"{response.status} {responses.get(response.status, 'Unknown')}"
        start_response(status, [*response.headers.items(), ("Content-Length", str(len(response.body)))])
        return [response.body]

    return answer


def _request(environ: "WSGIEnvironment") -> HttpRequest:
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    # WSGI's own path is unquoted, and as Latin-1: where the server tells the path as it came, "%2F" is not yet "/".
    path = environ.get("REQUEST_URI", "").partition("?")[0] or quote(environ["PATH_INFO"].encode("latin-1"))
    query = environ.get("QUERY_STRING")
    target = f"{path}?{query}" if query else path
    return HttpRequest(environ["REQUEST_METHOD"], target, json=_body(environ), headers=headers)


def _body(environ: "WSGIEnvironment") -> Any:
    length = min(fields.whole(environ.get("CONTENT_LENGTH")) or 0, JSON_LIMIT)
    content = environ["wsgi.input"].read(length)
    try:
        return msgspec.json.decode(content) if content else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # no JSON is no body, which the dialect refuses in its own words
