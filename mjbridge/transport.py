"""The `requests` transport: time-outs, no redirects, bounded replies, one session a thread."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from traceback import walk_tb
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
import urllib3

from mjbridge.errors import InvalidCommand, MalformedReply, MJBridgeError, Unavailable
from mjbridge.wire import PICTURE_LIMIT, HttpRequest, HttpResponse, is_http

_CHUNK: Final = 2**16
_MOST_REDIRECTS: Final = 5
_USER_AGENT: Final = "mjbridge"

# Raised before the first byte of a request has left: requests' own errors, and urllib3's reasons behind others.
_NEVER_SENT: Final = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
_NEVER_SENT_REASONS: Final = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
)
_NO_TUNNEL: Final = "Tunnel connection failed"


class RequestsTransport:
    """A vendor's base URL over `requests`. Time-outs are in seconds; `read_timeout` also bounds a whole body."""

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        proxy: str | None = None,
        headers: Mapping[str, str] = {},
        verify: bool | str = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = (connect_timeout, read_timeout)
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._headers = dict(headers)
        self._verify = verify
        self._clock = clock
        self._threads = threading.local()

    def send(self, request: HttpRequest) -> HttpResponse:
        """The reply, whatever its status. A redirect is returned, not followed: no other host gets the key."""
        headers = {"Accept": "application/json", **self._headers, **request.headers}
        body = None if request.json is None else _encoded(request.json)
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._exchange(request.method, self._base_url + request.path, request.limit, headers, body)

    def picture(self, url: str) -> bytes:
        """A public file, bounded in size and redirects. No key and no header of the account is sent."""
        for _ in range(1 + _MOST_REDIRECTS):
            if not is_http(url):
                raise Unavailable(
                    f"a picture's address must begin with http:// or https://, and this one does not: {url}"
                )
            response = self._exchange("GET", url, PICTURE_LIMIT, {"Accept": "image/*"}, None)
            location = response.headers.get("location")
            if response.ok:
                return response.body
            if not location:
                raise Unavailable(f"no picture at {_host(url)}", http_status=response.status, body=response.text)
            url = urljoin(url, location)
        raise Unavailable(f"more than {_MOST_REDIRECTS} redirects on the way to a picture")

    def close(self) -> None:
        """Close this thread's session; those of other threads close with their threads."""
        self._session().close()

    def _session(self) -> requests.Session:
        if not hasattr(self._threads, "session"):
            session = requests.Session()
            # With an auth of its own a session does not look into ~/.netrc, whose entry would replace the vendor's key.
            session.auth = _as_it_is
            session.headers["User-Agent"] = _USER_AGENT
            self._threads.session = session
        session_of_this_thread: requests.Session = self._threads.session
        return session_of_this_thread

    def _exchange(
        self, method: str, url: str, limit: int, headers: Mapping[str, str], body: bytes | None
    ) -> HttpResponse:
        started = self._clock()
        try:
            with self._session().request(
                method,
                url,
                headers=dict(headers),
                data=body,
                timeout=self._timeout,
                proxies=dict(self._proxies),
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = b"".join(self._body(response, limit, started))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # Not chained: what requests raises holds the request, and the request holds the key.
            raise _unreachable(error, url) from None
        return HttpResponse(
            response.status_code, content, {name.lower(): value for name, value in response.headers.items()}
        )

    def _body(self, response: requests.Response, limit: int, started: float) -> Iterator[bytes]:
        received = 0
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            received += len(chunk)
            if received > limit:
                raise MalformedReply(
                    f"the reply is larger than {limit} bytes", http_status=response.status_code, accepted="maybe"
                )
            if self._clock() - started > sum(self._timeout):
                raise Unavailable("the reply did not end in time", http_status=response.status_code, accepted="maybe")
            yield chunk


def _encoded(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError) as error:
        raise InvalidCommand(f"the body cannot be written as JSON: {error}") from None


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _host(url: str) -> str:
    return urlsplit(url).hostname or "?"


def _never_sent(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    # urllib3 says ProxyError of whatever goes wrong behind a proxy, also after the request.
    cause = reason.original_error if isinstance(reason, urllib3.exceptions.ProxyError) else reason
    no_tunnel = isinstance(cause, OSError) and str(cause).startswith(_NO_TUNNEL)
    return isinstance(error, _NEVER_SENT) or isinstance(cause, _NEVER_SENT_REASONS) or no_tunnel or _is_handshake(cause)


def _is_handshake(reason: object) -> bool:
    # A TLS error may also come after the request, under the same name: only its place tells.
    if not isinstance(reason, urllib3.exceptions.SSLError):
        return False
    frames = walk_tb(reason.args[0].__traceback__)
    return any(frame.f_code is ssl.SSLSocket.do_handshake.__code__ for frame, _ in frames)


def _unreachable(error: Exception, url: str) -> MJBridgeError:
    never_sent = _never_sent(error)
    what = "no connection to" if never_sent else "no usable reply from"
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return Unavailable(
        f"{what} {_host(url)}: {type(reason or error).__name__}", accepted="no" if never_sent else "maybe"
    )
