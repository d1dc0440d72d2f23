"""The `requests` transport: time-outs, no redirects, bounded replies, one session a thread."""

import io
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url

from mjbridge.errors import MalformedReply, Unavailable
from mjbridge.transport.links import Links, Session, cause, host, joined, pieces
from mjbridge.transport.sockets import Countdown, PunctualAdapter
from mjbridge.wire import PICTURE_LIMIT, Content, HttpRequest, HttpResponse

_USER_AGENT: Final = "mjbridge"
_NO_CONNECTION: Final = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


class _Body(io.BytesIO):
    """A request's body, which knows whether any of it has left: until then the vendor cannot have taken the request."""

    def __init__(self, content: bytes, countdown: Countdown) -> None:
        super().__init__(content)
        self.left = False
        self._countdown = countdown

    def read(self, size: int | None = -1) -> bytes:
        self.left = True
        self._countdown.left()
        return super().read(size)


class RequestsTransport:
    """A vendor's base URL over `requests`. Time-outs are in seconds; the two together bound a whole exchange."""

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
        self._links = Links(base_url, timeout=self._timeout, proxies=self._proxies, verify=verify, clock=clock)

    def send(self, request: HttpRequest) -> HttpResponse:
        """The reply, whatever its status. A redirect is returned, not followed: no other host gets the key."""
        headers = {"Accept": "application/json", **self._headers, **request.headers}
        content, content_type = _content(request)
        if content_type:
            headers["Content-Type"] = content_type
        outcome = self._attempt(request, headers, content)
        if isinstance(outcome, Unavailable):
            # Raised out here, in no context of what requests raised, for that holds the request and so the key.
            raise outcome
        return outcome

    def open(
        self, url: str, limit: int = PICTURE_LIMIT, start: int = 0, timeout: float | None = None
    ) -> AbstractContextManager[Content]:
        """What is behind a link, bounded in size, time and redirects. No key and no header of the account is sent."""
        return self._links.open(url, limit, start, timeout)

    def close(self) -> None:
        """Close this thread's session; those of other threads close with their threads."""
        self._session()[0].close()

    def _session(self) -> tuple[requests.Session, Countdown]:
        # A forked process leaves its parent's connections alone: on a shared one each may get the other's replies.
        if getattr(self._threads, "process", None) != os.getpid():
            session = Session()
            # With an auth of its own a session does not look into ~/.netrc, whose entry would replace the vendor's key.
            session.auth = _with_password
            session.headers["User-Agent"] = _USER_AGENT
            countdown = Countdown(self._clock)
            for scheme in ("http://", "https://"):
                session.mount(scheme, PunctualAdapter(countdown))
            self._threads.process = os.getpid()
            self._threads.session = session, countdown
        of_this_thread: tuple[requests.Session, Countdown] = self._threads.session
        return of_this_thread

    def _attempt(
        self, request: HttpRequest, headers: Mapping[str, str], content: bytes | None
    ) -> HttpResponse | Unavailable:
        url, timeout = self._base_url + request.path, request.timeout or math.inf
        connect, silence = (min(each, timeout) for each in self._timeout)
        session, countdown = self._session()
        countdown.start(min(sum(self._timeout), timeout), silence)
        body = None if content is None else _Body(content, countdown)
        try:
            with session.request(
                request.method,
                url,
                headers=dict(headers),
                data=body,
                timeout=(connect, silence),
                proxies=dict(self._proxies),
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                seen = {name.lower(): value for name, value in response.headers.items()}
                if "location" in seen:
                    seen["location"] = joined(_without_password(url), seen["location"])
                return HttpResponse(response.status_code, b"".join(_body(response, request.limit)), seen)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return _unreachable(error, url, body)


def _body(response: requests.Response, limit: int) -> Iterator[bytes]:
    received = 0
    for chunk in pieces(response):
        received += len(chunk)
        if received > limit:
            raise MalformedReply(
                f"the reply is larger than {limit} bytes", http_status=response.status_code, accepted="maybe"
            )
        yield chunk


def _content(request: HttpRequest) -> tuple[bytes | None, str]:
    if request.attachment is not None or request.form:
        file = request.attachment
        files = {file.field: (file.file_name, file.content, file.content_type)} if file else {}
        return urllib3.encode_multipart_formdata({**request.form, **files})
    return (None, "") if request.json is None else (request.content, "application/json")


def _with_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The request as it is, or with the password of its base URL where no key needs the header."""
    user, password = get_auth_from_url(request.url or "")
    if user and "Authorization" not in request.headers:
        HTTPBasicAuth(user, password)(request)
    return request


def _without_password(url: str) -> str:
    """Where a redirect counts from: what it leads to is told of, and may be followed."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _unreachable(error: Exception, url: str, body: _Body | None) -> Unavailable:
    reason = cause(error)
    # A request without a body costs nothing, whatever became of it: there the kind of error will do.
    unconnected = isinstance(error, requests.ConnectTimeout) or isinstance(reason, _NO_CONNECTION)
    left = not unconnected if body is None else body.left
    what = "no usable reply from" if left else "no connection to"
    return Unavailable(f"{what} {host(url)}: {type(reason).__name__}", accepted="maybe" if left else "no")
