"""Connections that keep time: whatever a vendor sends, however slowly, ends with the exchange it belongs to.

urllib3's read time-out begins anew with each byte, so that a header, a chunk's extension or an empty gzip block at a
time could hold a call for ever. Here every read of a socket is given what is left of the whole exchange.
"""

import http.client
import io
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter


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

    def left(self) -> float:
        """Seconds that the next read may take; `TimeoutError` when the time is over."""
        left = self._until - self._clock()
        if left <= 0:
            raise TimeoutError("the exchange did not end in time")
        return min(left, self._silence)


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
    """Opens connections of a kind, plain, TLS or SOCKS, that read their replies in time."""

    def __init__(self, kind: Callable[..., Any], countdown: Countdown) -> None:
        self._kind = kind
        self._reply = partial(_Reply, countdown)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        connection = self._kind(*args, **kwargs)
        connection.response_class = self._reply
        return connection


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
