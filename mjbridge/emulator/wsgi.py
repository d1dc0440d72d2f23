"""The emulator as a WSGI application, to mount on any server."""

import time
from collections.abc import Callable, Iterable
from email.parser import BytesParser
from email.policy import HTTP
from http.client import responses
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from mjbridge import fields
from mjbridge.emulator.transport import Emulator
from mjbridge.wire import PICTURE_LIMIT, Attachment, HttpRequest

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Pictures come as base64, which is a third longer, and some commands have several.
_LIMIT: Final = 4 * PICTURE_LIMIT


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
    length = min(fields.whole(environ.get("CONTENT_LENGTH")) or 0, _LIMIT)
    content, kind = environ["wsgi.input"].read(length), environ.get("CONTENT_TYPE", "")
    if kind.startswith("multipart/"):
        texts, file = _form(content, kind)
        return HttpRequest(environ["REQUEST_METHOD"], target, headers=headers, form=texts, attachment=file)
    return HttpRequest(environ["REQUEST_METHOD"], target, json=_json(content), headers=headers)


def _json(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content) if content else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # no JSON is no body, which the dialect refuses in its own words


def _form(content: bytes, kind: str) -> tuple[dict[str, str], Attachment | None]:
    """The texts of a form, and its first file; None if it has none."""
    form = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + content)
    texts: dict[str, str] = {}
    files: list[Attachment] = []
    for part in form.iter_parts():
        field, held = str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)
        if isinstance(held, bytes) and part.get_filename():
            files.append(Attachment(field, part.get_filename() or "", part.get_content_type(), held))
        elif isinstance(held, bytes):
            texts[field] = held.decode("utf-8", "replace")
    return texts, next(iter(files), None)
