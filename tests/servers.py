"""Servers to test against, on real sockets: a WSGI application behind waitress, and one scripted byte for byte."""

import importlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

_HOST: Final = "127.0.0.1"
_PATIENCE: Final = 30.0
"""Seconds after which a server gives up on a silent client: only a broken test waits so long."""
_GLANCE: Final = 0.001
_CHUNK: Final = 2**16
_LENGTH: Final = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)
_RESET: Final = struct.pack("ii", 1, 0)

_CERTIFICATE: Final = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgO5MucFMZqhnnnc5X
/uwBk7YovmRcdVrtFYvedyiOxUKhRANCAAR69Aoz0ggwhuTDv/TuKtlBocIrnaWr
HSs3I3bmVntBegTG5FkYQ7klEOxgrksLa+PW8lL0AClYbevP9cAqyyPz
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBXDCCAQKgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAkxMjcuMC4w
LjEwIBcNMDAwMTAxMDAwMDAwWhgPMjEwMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CTEyNy4wLjAuMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHr0CjPSCDCG5MO/
9O4q2UGhwiudpasdKzcjduZWe0F6BMbkWRhDuSUQ7GCuSwtr49byUvQAKVht68/1
wCrLI/OjQzBBMA8GA1UdEQQIMAaHBH8AAAEwDwYDVR0TAQH/BAUwAwEB/zAdBgNV
HQ4EFgQUZLUgk4CTk2Kl9XMinl18u2fYwtUwCgYIKoZIzj0EAwIDSAAwRQIhAPfN
bQkHLJO6RnSg/kOM0uMVhW6F0WutIYNefcjVqo6NAiB2tWoUDkOmSWDEZoEYe9as
I/Z/ohO8dZnxEh7qVy6mYw==
-----END CERTIFICATE-----
"""


def certified(folder: Path) -> tuple[str, ssl.SSLContext]:
    """The certificate of 127.0.0.1 as a file to trust, and what a server that has it speaks TLS with."""
    certificate = folder / "127.0.0.1.pem"
    certificate.write_text(_CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return str(certificate), context


"""Of 127.0.0.1, signed by itself and good until 2100, with its key: it protects nothing."""

# Waitress has no types.
_waitress: Any = importlib.import_module("waitress")
_wasyncore: Any = importlib.import_module("waitress.wasyncore")


@contextmanager
def serve(application: "WSGIApplication") -> Generator[str]:
    """Run a WSGI application on a port of its own; gives its base URL."""
    sockets: dict[int, Any] = {}
    server = _waitress.create_server(application, map=sockets, host=_HOST, port=0, threads=2)
    stopped = threading.Event()

    def run() -> None:
        while not stopped.is_set():
            _wasyncore.loop(timeout=1, map=sockets, count=1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://{_HOST}:{server.effective_port}"
    finally:
        stopped.set()
        server.pull_trigger()
        thread.join(_PATIENCE)
        server.task_dispatcher.shutdown()
        _wasyncore.close_all(sockets)


@contextmanager
def nobody() -> Generator[str]:
    """The base URL of a port that is taken, and at which nobody listens."""
    with socket.socket() as taken:
        taken.bind((_HOST, 0))
        yield f"http://{_HOST}:{taken.getsockname()[1]}"


class Connection:
    """One accepted connection, in the hands of a test's handler. A client that leaves ends the handler in silence."""

    def __init__(self, peer: socket.socket, record: Callable[[bytes], None], closing: threading.Event) -> None:
        peer.settimeout(_PATIENCE)
        self.sent = 0
        self.ended = threading.Event()
        self._peer = peer
        self._record = record
        self._closing = closing
        self._unread = b""

    def request(self) -> bytes:
        """The next request as it came, head and body; `b""` when the client has left."""
        while not _size(self._unread):
            if not self._receive():
                return b""
        size = _size(self._unread)
        while len(self._unread) < size and self._receive():
            pass
        raw, self._unread = self._unread[:size], self._unread[size:]
        self._record(raw)
        return raw

    def send(self, data: bytes) -> None:
        """Write `data`, whole."""
        self._peer.sendall(data)
        self.sent += len(data)

    def drip(self, data: bytes, times: int, pause: float = 0.0) -> None:
        """Write `data` so many times, with a pause before each, unless the client has had enough before."""
        for _ in range(times):
            if self._closing.wait(pause):
                return
            self.send(data)

    def arrived(self) -> None:
        """Wait until a whole request has come, and leave it unread."""
        while len(seen := self._peer.recv(_CHUNK, socket.MSG_PEEK)) < (_size(seen) or _CHUNK) and seen:
            self._closing.wait(_GLANCE)

    def sip(self, size: int, times: int, pause: float = 0.0) -> None:
        """Read up to so many bytes, so many times, with a pause before each."""
        for _ in range(times):
            if self._closing.wait(pause) or not self._peer.recv(size):
                return

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on."""
        self._peer = context.wrap_socket(self._peer, server_side=True)

    def stop_tls(self) -> None:
        """Speak plain bytes again, without a word to the client."""
        self._peer = socket.socket(fileno=self._peer.detach())

    def hold(self) -> None:
        """Say nothing until the client leaves."""
        while self._receive():
            pass

    def reset(self) -> None:
        """Break the connection: the client's next read fails."""
        self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._peer.close()

    def interrupt(self) -> None:
        """End whatever the handler is doing with it."""
        with suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection; `ended` tells that it has."""
        with suppress(OSError):
            self._peer.shutdown(socket.SHUT_WR)
        self._peer.close()
        self.ended.set()

    def _receive(self) -> int:
        received = self._peer.recv(_CHUNK)
        self._unread += received
        return len(received)


def _size(seen: bytes) -> int:
    """How long the request is that begins so, 0 while its head is not whole."""
    head = seen.find(b"\r\n\r\n") + 4
    length = _LENGTH.search(seen[:head])
    return head + (int(length[1]) if length else 0) if head > 3 else 0


Handler = Callable[[Connection], None]
"""Answers one connection; it is closed when the handler returns."""


class Scripted:
    """A server that does what its handler says, and remembers every request as it came."""

    def __init__(self, handler: Handler) -> None:
        self.requests: list[bytes] = []
        self.connections: list[Connection] = []
        self._handler = handler
        self._heard = threading.Condition()
        self._closing = threading.Event()
        self._listener = socket.create_server((_HOST, 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{_HOST}:{self._listener.getsockname()[1]}"

    def heard(self, count: int = 1) -> list[bytes]:
        """The requests as they came, once there are so many: a client that gave up may be ahead of its own."""
        with self._heard:
            self._heard.wait_for(lambda: len(self.requests) >= count, _PATIENCE)
        return self.requests

    def forget(self) -> None:
        """Forget all requests, once every client has left."""
        for connection in self.connections:
            connection.ended.wait(_PATIENCE)
        self.connections.clear()
        self.requests.clear()

    def close(self) -> None:
        """Accept no more, and end the handlers that still run."""
        self._closing.set()
        # A connection of its own wakes it on every system.
        socket.create_connection(self._listener.getsockname()).close()
        self._threads[0].join(_PATIENCE)
        self._listener.close()
        for connection in self.connections:
            connection.interrupt()
        for thread in self._threads[1:]:
            thread.join(_PATIENCE)

    def _accept(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            if self._closing.is_set():
                peer.close()
                return
            connection = Connection(peer, self._record, self._closing)
            self.connections.append(connection)
            self._threads.append(threading.Thread(target=self._handle, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _record(self, request: bytes) -> None:
        with self._heard:
            self.requests.append(request)
            self._heard.notify_all()

    def _handle(self, connection: Connection) -> None:
        # The client may leave in the middle of anything.
        with closing(connection), suppress(OSError):
            self._handler(connection)


@contextmanager
def scripted(handler: Handler) -> Generator[Scripted]:
    """Run a scripted server on a port of its own."""
    with closing(Scripted(handler)) as server:
        yield server


def reply(body: bytes = b"", status: int = 200, headers: Mapping[str, str] = {}) -> bytes:
    """A whole HTTP reply; `headers` come before the `Content-Length` that fits, which they may replace."""
    told = {"Content-Length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status} Told by the test", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answering(*replies: bytes) -> Handler:
    """A handler that gives the replies in turn, and the last one for ever after."""
    left = list(replies)

    def answer(connection: Connection) -> None:
        while connection.request():
            connection.send(left.pop(0) if len(left) > 1 else left[0])

    return answer
