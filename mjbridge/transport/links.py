"""Links to pictures and clips. Vendors write them, so they are not trusted to lead where they should."""

import ipaddress
import math
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import requests.utils
import urllib3

from mjbridge.errors import MalformedReply, Unavailable
from mjbridge.timing import Deadline
from mjbridge.transport.sockets import Countdown, PunctualAdapter, resolved
from mjbridge.wire import Content, is_http

_MOST_REDIRECTS: Final = 5
_MOST_ADDRESSES: Final = 4
_CHUNK: Final = 2**16
_SLOWEST: Final = 2**14
"""Bytes a second; who sends fewer, once the time-outs are over, is given up."""
_HEADERS: Final = {
    "User-Agent": "mjbridge",
    "Accept": "image/*, video/*",
    # Sizes and ranges are those of the file itself.
    "Accept-Encoding": "identity",
}
_PORTS: Final = {"http": 80, "https": 443}
_FIRST_BYTE: Final = re.compile(r"bytes (\d{1,18})-")
# A host whose last part is a number is an IPv4 address in one of its forms: https://url.spec.whatwg.org/#ends-in-a-number-checker
_LITERAL: Final = re.compile(r"(.*\.)?(localhost|[0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE)
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_WHOLE: Final = 200
_PARTIAL: Final = 206
_NOT_SATISFIABLE: Final = 416
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
# Azure's own service of every virtual machine stands at a public address.
_PLATFORMS: Final = frozenset({ipaddress.ip_address("168.63.129.16")})

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class Links:
    """Opens links over http and https: public addresses, and those that `home`, the account's own base URL, leads to.

    Every redirect is checked like the link itself, and it is the address connected to that is checked, not the name.
    Through a proxy it is the proxy that connects: there only an address that is written in the link can be checked.
    """

    def __init__(
        self,
        home: str,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        proxies: Mapping[str, str] = {},
        verify: bool | str = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home = home
        self._timeout = timeout
        self._proxies = dict(proxies)
        self._verify = verify
        self._clock = clock

    @contextmanager
    def open(
        self, url: str, limit: int, start: int = 0, timeout: float | None = None
    ) -> Generator[Content, None, None]:
        """What is behind a link, from byte `start` on where the server can; all of it within `timeout` seconds.

        Raises `Unavailable` where there is nothing to be had, and `MalformedReply` where it is more than `limit` bytes.
        """
        deadline = Deadline(self._clock, self._clock() + (math.inf if timeout is None else timeout))
        for _ in range(1 + _MOST_REDIRECTS):
            countdown = Countdown(self._clock)
            with Session() as session, self._get(session, countdown, deadline, url, start) as response:
                if response.status_code == _WHOLE or _first_byte(response) == start:
                    yield self._content(response, countdown, deadline, limit)
                    return
                if start and response.status_code in (_PARTIAL, _NOT_SATISFIABLE):
                    start = 0
                elif response.is_redirect:
                    url = joined(url, response.headers["location"])
                else:
                    raise Unavailable(f"no picture at {host(url)}", http_status=response.status_code)
        raise Unavailable(f"more than {_MOST_REDIRECTS} redirects on the way to a picture")

    def _get(
        self, session: requests.Session, countdown: Countdown, deadline: Deadline, url: str, start: int
    ) -> requests.Response:
        if not is_http(url):
            raise Unavailable(f"a picture's address must begin with http:// or https://, and this one does not: {url}")
        try:
            request = requests.Request("GET", url, _headers(start), auth=_as_it_is)
            return self._sent(session, countdown, deadline, request)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Unavailable(f"no connection to {host(url)}: {type(cause(error)).__name__}") from None

    def _sent(
        self, session: requests.Session, countdown: Countdown, deadline: Deadline, request: requests.Request
    ) -> requests.Response:
        prepared = session.prepare_request(request)
        url = prepared.url or ""
        settings = session.merge_environment_settings(url, self._proxies, True, self._verify, None)
        parts = urlsplit(url)
        prepared.headers["Host"] = parts.netloc.rpartition("@")[2]
        addresses = self._addresses(parts, proxied=bool(requests.utils.select_proxy(url, settings["proxies"])))
        for left, address in enumerate(addresses, start=1 - len(addresses)):
            session.mount(f"{parts.scheme}://", _Pinned(address, countdown) if address else PunctualAdapter(countdown))
            if not deadline.left:
                raise Unavailable(f"the time-out left no time to ask {parts.hostname}")
            connect, silence = (min(each, deadline.left) for each in self._timeout)
            countdown.start(min(sum(self._timeout), deadline.left), silence)
            try:
                return session.send(prepared, timeout=(connect, silence), allow_redirects=False, **settings)
            except requests.ConnectionError:
                if not left:
                    raise
        raise Unavailable(f"{parts.hostname} has no address")

    def _addresses(self, parts: SplitResult, *, proxied: bool) -> list[str]:
        """Those of the link's addresses that may be connected to, `[""]` where that is the proxy's affair."""
        name = parts.hostname or ""
        if proxied and not _is_literal(name):
            return [""]
        found = resolved(name, parts.port or _PORTS[parts.scheme])
        allowed = [each for each in found if is_public(each) or each in self._own()][:_MOST_ADDRESSES]
        if not allowed:
            raise Unavailable(f"{name} is at {', '.join(found)}, which is not public: no picture is read from there")
        return [""] if proxied else allowed

    def _own(self) -> list[str]:
        try:
            return resolved(urlsplit(self._home).hostname or "", None)
        except (OSError, ValueError):
            return []

    def _content(self, response: requests.Response, countdown: Countdown, deadline: Deadline, limit: int) -> Content:
        start = _first_byte(response) or 0
        size = _length(response)
        size = None if size is None else start + size
        if (size or 0) > limit:
            raise MalformedReply(_too_large(limit), http_status=response.status_code)
        return Content(self._chunks(response, countdown, deadline, start, size, limit), start, size, _tag(response))

    def _chunks(
        self,
        response: requests.Response,
        countdown: Countdown,
        deadline: Deadline,
        received: int,
        size: int | None,
        limit: int,
    ) -> Iterator[bytes]:
        # What comes buys time: a large file may take long, and one that drips ends.
        patience, began, first = sum(self._timeout), self._clock(), received
        try:
            for chunk in pieces(response):
                received += len(chunk)
                if received > limit:
                    raise MalformedReply(_too_large(limit), http_status=response.status_code)
                yield chunk
                until = began + patience + (received - first) / _SLOWEST
                countdown.start(min(until - self._clock(), deadline.left), self._timeout[1])
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Unavailable(f"the file broke off after {received} bytes: {type(cause(error)).__name__}") from None
        if size is not None and received != size:
            raise Unavailable(f"the file broke off after {received} of {size} bytes")


class Session(requests.Session):
    """A session that leaves redirects to its caller, and their bodies unread."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: where requests knows a target it unpacks the whole body, even with `allow_redirects=False`."""


def pieces(response: requests.Response) -> Iterator[bytes]:
    """The content of a reply, decoded, some at a time; `MalformedReply` for what would fill the memory."""
    if "," in response.headers.get("Content-Encoding", ""):
        # Each coding unpacks a thousandfold what the one before it unpacked, and old versions of urllib3 all at once.
        raise MalformedReply("the reply is encoded more than once", http_status=response.status_code, accepted="maybe")
    # urllib3 before 2.2 has no read1.
    read = getattr(response.raw, "read1", response.raw.read)
    while chunk := read(_CHUNK, decode_content=True):
        yield chunk


class _Pinned(PunctualAdapter):
    """Connects to one address, whatever the name leads to by now; TLS still proves the name."""

    def __init__(self, address: str, countdown: Countdown) -> None:
        self._address = address
        super().__init__(countdown)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """The hook that requests has for this (since 2.32.3)."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        proof: dict[str, Any] = {"server_hostname": host["host"]} if host["scheme"] == "https" else {}
        return {**host, "host": self._address}, {**pool, **proof}


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet: no loopback, private, link-local, multicast or metadata one.

    >>> is_public("1.1.1.1"), is_public("::ffff:127.0.0.1"), is_public("169.254.169.254")
    (True, False, False)
    """
    parsed = _embedded(ipaddress.ip_address(address))
    # 6to4 stands for an IPv4 address by way of whoever relays it: IANA no longer counts it as global.
    is_relayed = isinstance(parsed, ipaddress.IPv6Address) and parsed.sixtofour is not None
    return parsed.is_global and not is_relayed and not parsed.is_multicast and parsed not in _PLATFORMS


def _embedded(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one stands for; any other as it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    translated = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    return address.ipv4_mapped or translated or address


def _is_literal(name: str) -> bool:
    return ":" in name or bool(_LITERAL.fullmatch(name))


def _headers(start: int) -> dict[str, str]:
    return {**_HEADERS, "Range": f"bytes={start}-"} if start else _HEADERS


def _first_byte(response: requests.Response) -> int | None:
    """Where a partial reply begins; None for any other."""
    found = _FIRST_BYTE.match(response.headers.get("content-range", ""))
    return int(found[1]) if found and response.status_code == _PARTIAL else None


def joined(url: str, location: str) -> str:
    """Where a redirect from `url` leads; as it is written, if that is no address at all."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _length(response: requests.Response) -> int | None:
    written = response.headers.get("content-length", "")
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    return int(written) if _DIGITS.fullmatch(written) and not encoded else None


def _tag(response: requests.Response) -> str:
    tag = response.headers.get("etag", "")
    # A weak tag is the same for files that are only much alike.
    return tag if tag and not tag.startswith("W/") else response.headers.get("last-modified", "")


def _too_large(limit: int) -> str:
    return f"the file is larger than {limit} bytes"


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def host(url: str) -> str:
    """The host of an address, as errors name it."""
    return urlsplit(url).hostname or "?"


def cause(error: Exception) -> Exception:
    """What went wrong, where requests and urllib3 have wrapped it."""
    wrapped = getattr(error.args[0], "reason", None) if error.args else None
    return wrapped if isinstance(wrapped, Exception) else error
