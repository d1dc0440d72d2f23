"""Connections that keep time: whatever a vendor sends, however slowly, ends with the exchange it belongs to.

urllib3's read time-out begins anew with each byte, so that a header, a chunk's extension or an empty gzip block at a
time could hold a call for ever, and its connect time-out with each address of a name. Here every connect and every read
of a socket is given what is left of the whole exchange.
"""

import http.client
import io
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

_PLAIN: Final[Any] = HTTPConnection


class Countdown:
    """The time of one exchange after another: `whole` seconds for all of it, `silence` between two bytes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = 0.0
        self._silence = 0.0

    def start(self, whole: float, silence: float) -> None:
        """Begin an exchange."""
        self._until = self._clock() + whole
        self._silence = silence

    @property
    def is_over(self) -> bool:
        """Whether there is no time left."""
        return self._until <= self._clock()

    def left(self) -> float:
        """Seconds that the next read may take; `TimeoutError` when the time is over."""
        return self.part(self._silence)

    def part(self, most: float) -> float:
        """What is left of so many seconds; `TimeoutError` when the time is over."""
        left = self._until - self._clock()
        if left <= 0:
            raise TimeoutError("the exchange did not end in time")
        return min(left, most)


class PunctualAdapter(HTTPAdapter):
    """An adapter for a `requests` session whose connections, direct or through a proxy, end with the countdown."""

    def __init__(self, countdown: Countdown) -> None:
        self._countdown = countdown
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool that `requests` chose; the connections it opens are ours."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not isinstance(pool.ConnectionCls, _Opener):
            pool.ConnectionCls = _Opener(pool.ConnectionCls, self._countdown)
        return pool


class _Opener:
    """Opens connections of a kind, plain, TLS or SOCKS, that are made and read their replies in time."""

    def __init__(self, kind: Any, countdown: Countdown) -> None:
        self._kind = kind
        self._countdown = countdown
        self._reply = partial(_Reply, countdown)
        # A SOCKS proxy looks the name up itself.
        self._is_direct = kind._new_conn is _PLAIN._new_conn  # noqa: SLF001 urllib3 has no public place for how a connection is made

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        connection = self._kind(*args, **kwargs)
        connection.response_class = self._reply
        if self._is_direct:
            connection._new_conn = partial(self._connect, connection, connection._new_conn)  # noqa: SLF001 the same place, stepped into
        return connection

    def _connect(self, connection: Any, connect: Callable[[], socket.socket]) -> socket.socket:
        """One address after another: urllib3 would give each of them the whole time-out."""
        name, most = connection.host, connection.timeout
        addresses = _several(name, connection.port)
        try:
            while True:
                connection.host, connection.timeout = addresses.pop(0), self._countdown.part(most)
                try:
                    return connect()
                except (NewConnectionError, ConnectTimeoutError):
                    if not addresses or self._countdown.is_over:
                        raise
        finally:
            connection.host, connection.timeout = name, most


def resolved(name: str, port: int | None) -> list[str]:
    """The addresses that a name leads to. `OSError` if to none, `ValueError` for what is no name."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ValueError(f"{name!r} is no host's name") from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _several(name: str, port: int) -> list[str]:
    """A name's addresses, or the name itself where there is no choice: urllib3 tells what is wrong with it."""
    try:
        addresses = resolved(name, port)
    except (OSError, ValueError):
        return [name]
    return addresses if len(addresses) > 1 else [name]


class _Reply(http.client.HTTPResponse):
    def __init__(self, countdown: Countdown, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_InTime(self.fp.detach(), sock, countdown))


class _InTime(io.RawIOBase):
    """A socket's bytes, each read within what is left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, countdown: Countdown) -> None:
        self._raw = raw
        self._sock = sock
        self._countdown = countdown

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(self._countdown.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        # The raw stream is what keeps the socket open behind a connection that was closed already.
        self._raw.close()
        super().close()
