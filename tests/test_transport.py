"""Real requests over real sockets: what the vendor's answer, or its silence, means for a read and for a submit.

Everything goes through `mjbridge.Bridge`, and is the same for every provider, unless it is about the transport alone.
"""

import gzip
import logging
import socket
import ssl
import sys
import threading
import time
import traceback
import tracemalloc
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
import pytest

from mjbridge import (
    AuthenticationError,
    Bridge,
    HttpRequest,
    Imagine,
    InvalidCommand,
    MalformedReply,
    MJBridgeError,
    Provider,
    QuotaExceeded,
    RateLimited,
    Status,
    SubmissionUnknown,
    Task,
    TaskNotFound,
    Unavailable,
    WaitTimeout,
    plugins,
)
from mjbridge.config import AccountSettings
from mjbridge.emulator import Emulator, EmulatorTransport, HttpFault, application
from mjbridge.transport import RequestsTransport
from mjbridge.wire import Transport
from tests.servers import Connection, Handler, Scripted, answering, reply

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PROVIDERS: Final = ("apimart", "cometapi", "mjproxy", "octopusx")
KEY: Final = "sk-secret-0123456789abcdefghijklmnopqrstuv"
REF: Final = "a:1730621826053455"
PNG: Final = b"\x89PNG\r\n\x1a\n and the rest of a picture"

HTML: Final = b"<html><body><h1>Some proxy's page</h1></body></html>"
REFUSAL: Final = b'{"error": {"message": "the vendor says no", "type": "some_error", "code": ""}}'
"""An error object that every one of the four dialects knows for its own, with a code that none of them does."""


BRIEF: Final = 0.1
"""A time-out, in seconds, of a test that waits for it."""


CERTIFICATE: Final = """\
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
"""Of 127.0.0.1, signed by itself and good until 2100, with its key: it protects nothing."""


class OpenBridge(Protocol):
    """Builds a bridge with one account, `a`."""

    def __call__(self, provider: str, url: str, **settings: Any) -> Bridge: ...


StartServer = Callable[[Handler], Scripted]
StartApplication = Callable[["WSGIApplication"], str]


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bridge() -> Iterator[OpenBridge]:
    with ExitStack() as stack:

        def build(provider: str, url: str, **settings: Any) -> Bridge:
            account = {"provider": provider, "base_url": url, "api_key": KEY, "connect_timeout": 5, "read_timeout": 5}
            return stack.enter_context(Bridge({"accounts": {"a": account | settings}}, sleep=lambda _seconds: None))

        yield build


@pytest.fixture
def transport() -> Iterator[Callable[..., RequestsTransport]]:
    with ExitStack() as stack:

        def build(url: str, **settings: Any) -> RequestsTransport:
            opened = RequestsTransport(url, **settings)
            stack.callback(opened.close)
            return opened

        yield build


def submit(bridge: Bridge) -> Task:
    return bridge.imagine("a lighthouse at dusk", route="a")


def fetch(bridge: Bridge) -> Task:
    """One try: what a single answer means. `Bridge.fetch` would try again."""
    return bridge.account("a").fetch(REF.partition(":")[2])


OPERATIONS: Final = (fetch, submit)
Operation = Callable[[Bridge], Task]


def failure(operation: Operation, bridge: Bridge) -> MJBridgeError:
    with pytest.raises(MJBridgeError) as caught:
        operation(bridge)
    return caught.value


def task_reply(provider: str) -> bytes:
    """A completed task, as the vendor writes it."""
    task = Task(id=REF.partition(":")[2], status=Status.COMPLETED, progress=100)
    return reply(msgspec.json.encode(plugins.load(provider)().render(task)))


def submit_reply(provider: str) -> bytes:
    """An accepted submit, as the vendor writes it."""
    if provider == "apimart":
        return reply(b'{"code": 200, "data": [{"status": "submitted", "task_id": "task_01K8SGYNNNVBQTXNR4MM964S7K"}]}')
    return reply(b'{"code": 1, "description": "Submit success", "result": "1730621826053455", "properties": {}}')


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def silent(connection: Connection) -> None:
    """Read the request and never answer."""
    connection.request()
    connection.hold()


def resetting(connection: Connection) -> None:
    """Read the request and break the connection."""
    connection.request()
    connection.reset()


def once(answer: bytes) -> Handler:
    """Read the request, answer with these bytes, and close."""

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(answer)

    return handle


# No connection: nothing was sent.


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_refused_connection_is_unavailable_and_certainly_not_accepted(
    operation: Operation, provider: str, bridge: OpenBridge
) -> None:
    error = failure(operation, bridge(provider, f"http://127.0.0.1:{unused_port()}"))
    assert type(error) is Unavailable
    assert error.accepted == "no"
    assert (error.account, error.provider, error.operation) == ("a", provider, operation.__name__)


@pytest.mark.skipif(sys.platform != "linux", reason="what a full backlog does is the system's own")
def test_a_connect_time_out_is_certainly_not_accepted(bridge: OpenBridge) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        error = failure(submit, bridge("mjproxy", url, connect_timeout=BRIEF))
    assert type(error) is Unavailable
    assert error.accepted == "no"


def test_a_failed_tls_handshake_is_certainly_not_accepted(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(lambda connection: connection.send(b"this is no TLS\r\n"))
    error = failure(submit, bridge("mjproxy", server.url.replace("http:", "https:")))
    assert type(error) is Unavailable
    assert error.accepted == "no"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_the_connection_is_certainly_not_accepted(scheme: str, bridge: OpenBridge) -> None:
    proxy = f"http://127.0.0.1:{unused_port()}"
    error = failure(submit, bridge("mjproxy", f"{scheme}://vendor.invalid", proxy=proxy))
    assert type(error) is Unavailable
    assert error.accepted == "no"


def test_a_proxy_that_opens_no_tunnel_is_certainly_not_accepted(scripted: StartServer, bridge: OpenBridge) -> None:
    proxy = scripted(answering(reply(HTML, 403)))
    error = failure(submit, bridge("mjproxy", "https://vendor.invalid", proxy=proxy.url))
    assert [request.partition(b" ")[0] for request in proxy.requests] == [b"CONNECT"]
    assert type(error) is Unavailable
    assert error.accepted == "no"


def test_the_proxy_of_the_account_carries_the_request(scripted: StartServer, bridge: OpenBridge) -> None:
    proxy = scripted(answering(submit_reply("mjproxy")))
    submit(bridge("mjproxy", "http://vendor.invalid", proxy=proxy.url))
    assert proxy.requests[0].startswith(b"POST http://vendor.invalid/mj/submit/imagine ")


def test_the_proxy_of_the_account_comes_before_that_of_the_environment(
    scripted: StartServer, bridge: OpenBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = (scripted(answering(submit_reply("mjproxy"))) for _ in range(2))
    monkeypatch.setenv("http_proxy", other.url)
    submit(bridge("mjproxy", "http://vendor.invalid", proxy=own.url))
    assert (len(own.requests), len(other.requests)) == (1, 0)


# No answer to a request that left.

SILENCES: Final[dict[str, Handler]] = {"silence": silent, "reset": resetting, "closed": once(b"")}
CUTS: Final = {
    "head": b"HTTP/1.1 200 OK\r\nContent-",
    "body": reply(b'{"code": 1,', headers={"Content-Length": "1000"}),
    "chunk": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"code": 1,',
    "last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "no gzip": reply(b'{"code": 1}', headers={"Content-Encoding": "gzip"}),
    "many headers": reply(b"{}", headers={f"X-{number}": "" for number in range(200)}),
    "two lengths": reply(b"{}", headers={"Content-Length": "2\r\nContent-Length: 3"}),
}


@pytest.mark.parametrize("silence", SILENCES)
def test_a_read_that_is_not_answered_is_unavailable(
    silence: str, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(SILENCES[silence])
    error = failure(fetch, bridge(provider, server.url, read_timeout=BRIEF))
    assert type(error) is Unavailable
    assert error.accepted == "maybe"


@pytest.mark.parametrize("silence", SILENCES)
def test_a_submit_that_is_not_answered_is_unknown_and_sent_only_once(
    silence: str, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(SILENCES[silence])
    error = failure(submit, bridge(provider, server.url, read_timeout=BRIEF))
    assert type(error) is SubmissionUnknown
    assert error.accepted == "maybe"
    assert (error.account, error.provider, error.operation) == ("a", provider, "submit")
    assert len(server.requests) == 1
    assert b"a lighthouse at dusk" in server.requests[0]


@pytest.mark.parametrize("silence", SILENCES)
def test_a_submit_that_left_through_a_proxy_and_is_not_answered_is_unknown(
    silence: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    proxy = scripted(SILENCES[silence])
    error = failure(submit, bridge("mjproxy", "http://vendor.invalid", proxy=proxy.url, read_timeout=BRIEF))
    assert len(proxy.requests) == 1
    assert type(error) is SubmissionUnknown


@pytest.mark.parametrize("cut", CUTS)
def test_an_answer_that_http_cannot_read_to_its_end_proves_nothing(
    cut: str, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(once(CUTS[cut]))
    # Each over a connection of its own: the server closes the other.
    error = failure(fetch, bridge(provider, server.url))
    assert isinstance(error, Unavailable | MalformedReply)
    assert error.accepted == "maybe"
    error = failure(submit, bridge(provider, server.url))
    assert type(error) is SubmissionUnknown
    assert len(server.requests) == 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    "answer",
    [b"", reply(HTML, 502), b"\x17\x03\x03\x00\x20" + b"?" * 32],
    ids=["nothing", "plain", "garbled"],
)
def test_a_submit_after_which_tls_breaks_is_unknown(
    answer: bytes, version: ssl.TLSVersion, scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    certificate = tmp_path / "127.0.0.1.pem"
    certificate.write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.maximum_version = version

    def break_tls(connection: Connection) -> None:
        connection.start_tls(context)
        connection.request()
        connection.stop_tls()
        connection.send(answer)

    server = scripted(break_tls)
    url = server.url.replace("http:", "https:")
    error = failure(submit, bridge("mjproxy", url, verify=str(certificate)))
    assert len(server.requests) == 1
    assert type(error) is SubmissionUnknown


def test_a_button_press_that_is_not_answered_is_unknown_and_sent_only_once(
    provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(resetting)
    error = failure(lambda opened: opened.press(REF, "MJ::JOB::upsample::2::hash"), bridge(provider, server.url))
    assert type(error) is SubmissionUnknown
    assert len(server.requests) == 1


def test_a_follow_up_whose_parent_cannot_be_read_was_not_submitted(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(resetting)
    error = failure(lambda opened: opened.upscale(REF, 2), bridge("mjproxy", server.url))
    assert type(error) is Unavailable
    assert not any(request.startswith(b"POST") for request in server.requests)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_that_drips_for_longer_than_the_time_outs_is_cut(
    operation: Operation, scripted: StartServer, bridge: OpenBridge
) -> None:
    def drip(connection: Connection) -> None:
        connection.request()
        connection.send(reply(headers={"Content-Length": "1000000"}))
        connection.drip(b" ", 50, BRIEF / 5)

    server = scripted(drip)
    opened = bridge("mjproxy", server.url, connect_timeout=BRIEF, read_timeout=BRIEF)
    started = time.monotonic()
    error = failure(operation, opened)
    assert time.monotonic() - started < 5 * BRIEF
    assert type(error) is (SubmissionUnknown if operation is submit else Unavailable)
    assert error.accepted == "maybe"


def test_no_body_may_drip_in_chunks_for_longer_than_the_time_outs(scripted: StartServer, bridge: OpenBridge) -> None:
    head, drop = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"

    def drip_for_a_while(connection: Connection) -> None:
        connection.request()
        connection.send(head)
        connection.drip(drop, 35, BRIEF / 5)

    server = scripted(drip_for_a_while)
    started = time.monotonic()
    failure(fetch, bridge("mjproxy", server.url, connect_timeout=BRIEF, read_timeout=BRIEF))
    assert time.monotonic() - started < 5 * BRIEF


# An answer that is not the vendor's.

FOREIGN: Final = {
    "html": HTML,
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "truncated": b'{"code": 1, "result": "17306',
    "other object": b'{"hello": "world"}',
    "number": b"42",
    "text": b'"ok"',
    "list": b"[]",
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_an_answer_that_is_no_task_is_malformed(
    foreign: str, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(FOREIGN[foreign])))
    error = failure(fetch, bridge(provider, server.url))
    assert type(error) is MalformedReply
    assert error.http_status == 200
    assert error.operation == "fetch"


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_submit_answered_with_no_task_is_unknown_and_sent_only_once(
    foreign: str, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(FOREIGN[foreign])))
    error = failure(submit, bridge(provider, server.url))
    assert type(error) is SubmissionUnknown
    assert (error.http_status, error.accepted) == (200, "maybe")
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [HTML, b"", b"null"], ids=["html", "empty", "null"])
def test_a_list_or_a_seed_that_is_none_is_malformed(body: bytes, scripted: StartServer, bridge: OpenBridge) -> None:
    opened = bridge("mjproxy", scripted(answering(reply(body))).url)
    with pytest.raises(MalformedReply) as caught:
        opened.fetch_many([REF])
    assert caught.value.operation == "fetch_many"
    with pytest.raises(MalformedReply) as caught:
        opened.seed(REF)
    assert caught.value.operation == "seed"


def test_an_error_carries_the_beginning_of_a_foreign_answer(
    provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(HTML + bytes(10_000))))
    for operation in OPERATIONS:
        body = failure(operation, bridge(provider, server.url)).body
        assert body.startswith(HTML.decode())
        assert len(body) < 1000


@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_redirect_is_not_followed_and_the_other_host_learns_nothing(
    operation: Operation, status: int, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    other = scripted(answering(task_reply(provider)))
    server = scripted(answering(reply(b"", status, {"Location": f"{other.url}/elsewhere"})))
    error = failure(operation, bridge(provider, server.url))
    assert type(error) is (SubmissionUnknown if operation is submit else MalformedReply)
    assert error.http_status == status
    assert f"{other.url}/elsewhere" in str(error)
    assert (len(server.requests), len(other.connections)) == (1, 0)


# Statuses.

OWN_WORDS: Final = {
    400: InvalidCommand,
    401: AuthenticationError,
    402: QuotaExceeded,
    403: AuthenticationError,
    404: TaskNotFound,
    422: InvalidCommand,
    429: RateLimited,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
}
REFUSING: Final = (401, 402, 403, 429, 503)


@pytest.mark.parametrize(("status", "category"), OWN_WORDS.items())
def test_a_status_with_the_vendors_own_error_object_is_a_refusal(
    status: int, category: type[MJBridgeError], provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(REFUSAL, status)))
    for operation in OPERATIONS:
        server.requests.clear()
        error = failure(operation, bridge(provider, server.url))
        assert type(error) is category
        assert (error.accepted, error.http_status) == ("no", status)
        assert (error.vendor_code, error.message) == ("some_error", "the vendor says no")
        assert len(server.requests) == 1


@pytest.mark.parametrize("body", [HTML, b"", b"null"], ids=["html", "empty", "null"])
@pytest.mark.parametrize("status", REFUSING)
def test_a_refusing_status_needs_no_words(
    status: int, body: bytes, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(body, status)))
    for operation in OPERATIONS:
        server.requests.clear()
        error = failure(operation, bridge(provider, server.url))
        assert type(error) is OWN_WORDS[status]
        assert error.accepted == "no"
        assert len(server.requests) == 1


@pytest.mark.parametrize("body", [HTML, b"", b"null"], ids=["html", "empty", "null"])
@pytest.mark.parametrize(
    ("status", "category"),
    {
        400: MalformedReply,
        404: MalformedReply,
        422: MalformedReply,
        500: Unavailable,
        502: Unavailable,
        504: Unavailable,
        524: Unavailable,
    }.items(),
)
def test_any_other_status_without_the_vendors_own_words_proves_nothing(
    status: int, category: type[MJBridgeError], body: bytes, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(body, status)))
    opened = bridge(provider, server.url)
    error = failure(fetch, opened)
    assert type(error) is category
    assert error.accepted == "maybe"
    server.requests.clear()
    error = failure(submit, opened)
    assert type(error) is SubmissionUnknown
    assert (error.http_status, error.accepted) == (status, "maybe")
    assert len(server.requests) == 1


NOW: Final = 1_700_000_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True), "Date": formatdate(NOW, usegmt=True)}, 90.0),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True), "Date": formatdate(NOW, usegmt=True)}, 0.0),
        ({"Retry-After": formatdate(NOW, usegmt=True)}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-7"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_tells_how_long_to_wait(
    headers: dict[str, str], seconds: float | None, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(REFUSAL, 429, headers)))
    for operation in OPERATIONS:
        error = failure(operation, bridge("mjproxy", server.url))
        assert type(error) is RateLimited
        assert error.retry_after == seconds


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("body", [REFUSAL, HTML], ids=["own words", "html"])
def test_the_time_to_wait_is_told_for_every_provider(
    body: bytes, status: int, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(body, status, {"Retry-After": "7"})))
    assert failure(submit, bridge(provider, server.url)).retry_after == 7


@pytest.mark.parametrize(
    "offset",
    [
        "+9999",
        "+99999999",
        "-0000",
        "+999999999999999999",
    ],
)
def test_a_mad_date_is_no_time_to_wait(offset: str, scripted: StartServer, bridge: OpenBridge) -> None:
    headers = {"Retry-After": f"Mon, 01 Jan 2024 00:00:00 {offset}", "Date": formatdate(NOW, usegmt=True)}
    error = failure(fetch, bridge("mjproxy", scripted(answering(reply(REFUSAL, 429, headers))).url))
    assert type(error) is RateLimited


# The key.


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_key_is_sent_as_a_bearer_token(
    operation: Operation, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(submit_reply(provider) if operation is submit else task_reply(provider)))
    operation(bridge(provider, server.url))
    assert f"\r\nAuthorization: Bearer {KEY}\r\n".encode() in server.requests[0]


def test_a_netrc_entry_does_not_replace_the_key(
    provider: str, scripted: StartServer, bridge: OpenBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password swapped\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = scripted(answering(submit_reply(provider), task_reply(provider), reply(PNG)))
    opened = bridge(provider, server.url)
    submit(opened)
    fetch(opened)
    opened.account("a").picture(f"{server.url}/1.png")
    assert [f"Authorization: Bearer {KEY}".encode() in request for request in server.requests] == [True, True, False]
    assert b64encode(b"thief:swapped") not in b"".join(server.requests)


def test_a_netrc_entry_is_not_sent_where_there_is_no_key(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password swapped\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = scripted(answering(task_reply("mjproxy")))
    fetch(bridge("mjproxy", server.url, api_key=None))
    assert b"authorization" not in server.requests[0].lower()


ECHOES: Final = {
    "message": reply(b'{"error": {"message": "Invalid token: %s"}}' % KEY.encode(), 401),
    "code": reply(b'{"error": {"message": "Invalid token", "code": "%s"}}' % KEY.encode(), 401),
    "description": reply(b'{"code": 4, "description": "%s is banned"}' % KEY.encode()),
    "page": reply(b"<html>Bearer %s</html>" % KEY.encode()),
    "failing page": reply(b"<html>Bearer %s</html>" % KEY.encode(), 502),
    "id": reply(b'{"id": {"%s": 1}}' % KEY.encode()),
    "result": reply(b'{"code": 1, "result": null, "%s": 1}' % KEY.encode()),
    "location": reply(b"", 302, {"Location": f"https://elsewhere.invalid/?token={KEY}"}),
    "retry-after": reply(REFUSAL, 429, {"Retry-After": KEY}),
    "cut page": reply(b"x" * 480 + KEY.encode(), 401),
    "often": reply(KEY.encode() * 1000, 401),
    "cut message": reply(b'{"error": {"message": "no"}, "x": "%s%s"}' % (b"x" * 445, KEY.encode()), 401),
}


def everything(error: BaseException) -> str:
    """All that a program may show of an error and of those behind it."""
    chain = [error]
    while behind := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(behind)
    shown = [f"{each} {each!r} {vars(each)}" for each in chain]
    return "\n".join([*shown, *traceback.format_exception(error)])


@pytest.mark.parametrize("echo", ECHOES)
def test_no_error_shows_the_key_even_if_the_vendor_echoes_it(
    echo: str, provider: str, scripted: StartServer, bridge: OpenBridge, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = scripted(answering(ECHOES[echo]))
    for operation in OPERATIONS:
        shown = everything(failure(operation, bridge(provider, server.url))) + caplog.text
        # No part of it either, where the body was cut for the message.
        assert KEY[:12] not in shown
        assert KEY[-12:] not in shown


@pytest.mark.parametrize("family", ["cometapi", "mjproxy", "octopusx"])
def test_no_vendor_code_shows_the_key_even_if_the_vendor_echoes_it(
    family: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(b'{"error": "Invalid token: %s"}' % KEY.encode(), 401)))
    for operation in OPERATIONS:
        assert KEY not in everything(failure(operation, bridge(family, server.url)))


@pytest.mark.parametrize("silence", [*SILENCES, *CUTS])
def test_no_error_shows_the_key_of_a_request_that_is_not_answered(
    silence: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(SILENCES[silence] if silence in SILENCES else once(CUTS[silence]))
    for operation in OPERATIONS:
        assert KEY not in everything(failure(operation, bridge("mjproxy", server.url, read_timeout=BRIEF)))


def test_a_wait_logs_failed_polls_without_the_key(
    scripted: StartServer, bridge: OpenBridge, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = reply(b'{"error": {"message": "try later, %s"}}' % KEY.encode(), 503)
    task = bridge("mjproxy", scripted(answering(echo, task_reply("mjproxy"))).url).wait(REF)
    assert task.status is Status.COMPLETED
    assert "try later" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["midjourney", "https", "1", "SUCCESS", "id"])
def test_a_key_that_is_an_everyday_word_does_not_change_what_the_vendor_says(
    key: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    record = b'{"id": "1730621826053455", "status": "SUCCESS", "imageUrl": "https://cdn.midjourney.com/1.png"}'
    server = scripted(answering(submit_reply("mjproxy"), reply(record)))
    opened = bridge("mjproxy", server.url, api_key=key)
    assert submit(opened).ref == REF
    task = fetch(opened)
    assert task.image_url == "https://cdn.midjourney.com/1.png"
    assert bytes(task.raw) == record


# Size.


def test_a_body_up_to_the_limit_is_read_and_one_byte_more_is_not(
    scripted: StartServer, transport: Callable[..., RequestsTransport]
) -> None:
    opened = transport(scripted(answering(reply(bytes(1000)), reply(bytes(1001)))).url)
    assert len(opened.send(HttpRequest("GET", "/x", limit=1000)).body) == 1000
    with pytest.raises(MalformedReply) as caught:
        opened.send(HttpRequest("GET", "/x", limit=1000))
    assert caught.value.accepted == "maybe"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000\r\n",
        b"HTTP/1.1 500 No\r\nContent-Length: 1000000000000\r\n\r\n",
    ],
    ids=["until closed", "length", "chunk", "failing"],
)
def test_an_endless_body_is_left_at_the_limit(
    head: bytes, scripted: StartServer, transport: Callable[..., RequestsTransport]
) -> None:
    def flood(connection: Connection) -> None:
        connection.request()
        connection.send(head)
        connection.drip(bytes(2**16), 2**11)

    server = scripted(flood)
    with pytest.raises(MalformedReply):
        transport(server.url).send(HttpRequest("GET", "/x", limit=2**20))
    # What the system buffers on the way is not what was read.
    assert server.connections[0].sent < 2**25


@pytest.mark.parametrize("encodings", ["gzip", "gzip, gzip"])
def test_a_gzip_bomb_is_not_unpacked(
    encodings: str, scripted: StartServer, transport: Callable[..., RequestsTransport]
) -> None:
    bomb = gzip.compress(bytes(2**23)) * 32
    body = bomb if encodings == "gzip" else gzip.compress(bomb)
    server = scripted(answering(reply(body, headers={"Content-Encoding": encodings})))
    opened = transport(server.url)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedReply):
            opened.send(HttpRequest("GET", "/x", limit=2**20))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**23


def test_a_packed_answer_is_unpacked(provider: str, scripted: StartServer, bridge: OpenBridge) -> None:
    record = gzip.compress(task_reply(provider).partition(b"\r\n\r\n")[2])
    server = scripted(answering(reply(record, headers={"Content-Encoding": "gzip"})))
    assert fetch(bridge(provider, server.url)).status is Status.COMPLETED


# Connections.


def test_a_connection_is_used_again_also_after_a_refusal(
    provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(task_reply(provider), reply(REFUSAL, 404), reply(HTML), task_reply(provider)))
    opened = bridge(provider, server.url)
    fetch(opened)
    failure(fetch, opened)
    failure(submit, opened)
    fetch(opened)
    assert (len(server.requests), len(server.connections)) == (4, 1)


def test_a_connection_that_the_vendor_closed_between_two_requests_is_replaced(
    scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(once(submit_reply("mjproxy")))
    opened = bridge("mjproxy", server.url)
    for _ in range(3):
        submit(opened)
        server.connections[-1].ended.wait(5)
    assert (len(server.requests), len(server.connections)) == (3, 3)


def test_each_thread_has_a_session_of_its_own(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(answering(task_reply("mjproxy")))
    opened = bridge("mjproxy", server.url)

    def twice() -> None:
        fetch(opened)
        fetch(opened)

    twice()
    thread = threading.Thread(target=twice)
    thread.start()
    thread.join()
    assert (len(server.requests), len(server.connections)) == (4, 2)


def test_cookies_of_one_thread_do_not_reach_another(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(answering(task_reply("mjproxy").replace(b"\r\n", b"\r\nSet-Cookie: thread=first\r\n", 1)))
    opened = bridge("mjproxy", server.url)
    fetch(opened)
    thread = threading.Thread(target=fetch, args=(opened,))
    thread.start()
    thread.join()
    assert b"thread=first" not in server.requests[1]


def test_many_threads_get_each_their_own_answer(scripted: StartServer, bridge: OpenBridge) -> None:
    def echo(connection: Connection) -> None:
        while request := connection.request():
            task_id = request.split(b"/")[3]
            connection.send(reply(b'{"id": "%s", "status": "SUCCESS"}' % task_id))

    opened = bridge("mjproxy", scripted(echo).url)
    wrong: list[str] = []

    def read_own(task_id: str) -> None:
        wrong.extend(found for _ in range(10) if (found := opened.fetch(f"a:{task_id}").id) != task_id)

    threads = [threading.Thread(target=read_own, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# Pictures.


def chain(base_url: Callable[[], str] = str) -> Handler:
    """Answers `/3` with a redirect to `/2` (behind a base URL, if one is given), and so on; `/0` is the picture."""

    def handle(connection: Connection) -> None:
        while request := connection.request():
            left = int(request.split(b" ")[1].lstrip(b"/"))
            connection.send(reply(b"", 302, {"Location": f"{base_url()}/{left - 1}"}) if left else reply(PNG))

    return handle


def test_a_picture_is_read_without_the_key_or_the_headers_of_the_account(
    provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    pictures = scripted(chain(lambda: pictures.url))
    start = scripted(answering(reply(b"", 301, {"Location": f"{pictures.url}/2"})))
    opened = bridge(provider, "http://vendor.invalid", headers={"X-Account": "secret of the account"})
    assert opened.account("a").picture(f"{start.url}/3") == PNG
    seen = b"".join([*start.requests, *pictures.requests])
    assert len(pictures.requests) == 3
    assert KEY.encode() not in seen
    assert b"secret of the account" not in seen
    assert b"authorization" not in seen.lower()


def test_the_headers_of_the_account_go_to_its_base_url(
    provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(task_reply(provider)))
    fetch(bridge(provider, server.url, headers={"X-Account": "secret of the account"}))
    assert b"\r\nX-Account: secret of the account\r\n" in server.requests[0]


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/picture.png",
        "data:image/png;base64,aaaa",
        "//127.0.0.1/picture.png",
        "/picture.png",
        "picture.png",
        "http://",
        "",
        "http://[",
        "http://[::1/picture.png",
        "http://127.0.0.1:99999/picture.png",
        "http://\x00/",
        f"http://{'a' * 64}.invalid/",
    ],
)
def test_an_address_that_is_no_http_address_is_refused(
    address: str, scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    opened = bridge("mjproxy", "http://vendor.invalid")
    assert type(failure(lambda each: _picture(each, address), opened)) is Unavailable
    # It may as well be where a redirect leads, or in a task that is to be downloaded.
    start = scripted(answering(reply(b"", 302, {"Location": address.replace("\x00", "%00")})))
    failure(lambda each: _picture(each, f"{start.url}/1"), opened)
    if address:
        task = Task(id="1", account="a", status=Status.COMPLETED, image_url=address)
        failure(lambda each: _download(each, task, tmp_path), opened)
        assert list(tmp_path.iterdir()) == []


def _picture(bridge: Bridge, url: str) -> Task:
    bridge.account("a").picture(url)
    return Task(id="never")


def _download(bridge: Bridge, task: Task, folder: Path) -> Task:
    bridge.download(task, folder)
    return task


def test_a_file_that_a_redirect_names_is_not_read(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    start = scripted(answering(reply(b"", 302, {"Location": secret.as_uri()})))
    error = failure(lambda each: _picture(each, f"{start.url}/1"), bridge("mjproxy", "http://vendor.invalid"))
    assert type(error) is Unavailable
    assert "must begin with http:// or https://" in error.message


@pytest.mark.parametrize("redirects", range(6))
def test_up_to_five_redirects_lead_to_a_picture(redirects: int, scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(chain())
    opened = bridge("mjproxy", "http://vendor.invalid")
    assert opened.account("a").picture(f"{server.url}/{redirects}") == PNG
    assert len(server.requests) == redirects + 1


@pytest.mark.parametrize("start", ["/6", "/1000", "/1000000"])
def test_more_than_five_redirects_do_not(start: str, scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(chain())
    error = failure(lambda each: _picture(each, server.url + start), bridge("mjproxy", "http://vendor.invalid"))
    assert type(error) is Unavailable
    assert len(server.requests) <= 6


def test_a_redirect_in_a_circle_is_left(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(answering(reply(b"", 302, {"Location": "/again"})))
    error = failure(lambda each: _picture(each, f"{server.url}/again"), bridge("mjproxy", "http://vendor.invalid"))
    assert type(error) is Unavailable
    assert len(server.requests) <= 6


def test_a_picture_that_does_not_end_is_left(scripted: StartServer, bridge: OpenBridge) -> None:
    def flood(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.drip(bytes(2**20), 2**8)

    server = scripted(flood)
    error = failure(lambda each: _picture(each, f"{server.url}/1"), bridge("mjproxy", "http://vendor.invalid"))
    assert type(error) is MalformedReply
    assert server.connections[0].sent < 2**27


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_picture_that_is_gone_is_unavailable(status: int, scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(answering(reply(HTML, status)))
    error = failure(lambda each: _picture(each, f"{server.url}/1"), bridge("mjproxy", "http://vendor.invalid"))
    assert type(error) is Unavailable
    assert (error.http_status, error.account, error.operation) == (status, "a", "download")


# The emulator: the same over HTTP as in process.


class Clock:
    """Epoch seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_730_621_826.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def rehearse(bridge: Bridge, folder: Path) -> list[object]:
    """One of everything; what each step gave, or how it failed."""
    grid = bridge.imagine("a lighthouse at dusk --ar 16:9", bot="midjourney")
    seen: list[object] = [grid]
    grid = bridge.wait(grid, on_update=seen.append)
    upscaled = bridge.wait(bridge.upscale(grid, 2), on_update=seen.append)
    varied = bridge.wait(bridge.vary(grid.ref, 3), on_update=seen.append)
    rerolled = bridge.wait(bridge.reroll(grid), on_update=seen.append)
    zoomed = bridge.wait(bridge.press(upscaled, "Zoom Out 2x"), on_update=seen.append)
    tasks = [grid, upscaled, varied, rerolled, zoomed]
    seen += [*tasks, *bridge.fetch_many([*tasks, "a:unknown"])]
    seen += [_told(bridge.seed, grid.ref), _told(bridge.image, grid.ref), _told(bridge.fetch, "a:unknown")]
    seen += [_told(bridge.upscale, upscaled.ref, 2), _told(bridge.vary, "a:unknown", 1)]
    seen += [_told(bridge.press, grid, "MJ::JOB::upsample::9::hash")]
    paths = [path for task in tasks for path in bridge.download(task, folder)]
    return [*seen, *((path.name, path.read_bytes()) for path in paths)]


def _told(call: Callable[..., object], *arguments: object) -> object:
    try:
        return call(*arguments)
    except MJBridgeError as error:
        return type(error).__name__, str(error), vars(error)


def with_raw(seen: object) -> object:
    """Tasks are equal whatever their `raw` is; here that must be equal too."""
    return (seen, bytes(seen.raw)) if isinstance(seen, Task) else seen


def test_a_dialect_server_over_http_is_the_one_in_process(
    provider: str, serve: StartApplication, tmp_path: Path
) -> None:
    mounted: list[WSGIApplication] = []

    def late(environ: "WSGIEnvironment", start_response: "StartResponse") -> Any:
        return mounted[0](environ, start_response)

    url = serve(late)

    def emulator(clock: Clock) -> Emulator:
        return Emulator(plugins.load(provider)(), public_url=url, clock=clock)

    def in_process(_provider: Provider, _settings: AccountSettings) -> Transport:
        return EmulatorTransport(emulator(clocks[1]))

    clocks = Clock(), Clock()
    mounted.append(application(emulator(clocks[0])))
    account = {"provider": provider, "base_url": url, "api_key": KEY, "poll_interval": 0.5}
    config = {"accounts": {"a": account}}
    with Bridge(config, clock=clocks[0], sleep=clocks[0].sleep) as bridge:
        over_http = rehearse(bridge, tmp_path / "http")
    with Bridge(config, clock=clocks[1], sleep=clocks[1].sleep, transport=in_process) as bridge:
        at_home = rehearse(bridge, tmp_path / "process")
    assert len(over_http) > 20
    assert [with_raw(each) for each in over_http] == [with_raw(each) for each in at_home]


@pytest.mark.parametrize(
    "task_id",
    [
        "unknown",
        "un?known",
        "un%2Fknown",
        "unbekannt ü",
        "un/known",
    ],
)
def test_an_id_is_the_same_over_http(task_id: str, provider: str, serve: StartApplication, bridge: OpenBridge) -> None:
    url = serve(application(Emulator(plugins.load(provider)())))
    over_http = failure(lambda opened: opened.fetch(f"a:{task_id}"), bridge(provider, url))
    in_process = failure(lambda opened: opened.fetch(f"a:{task_id}"), bridge(provider, "emulator:"))
    assert type(over_http) is type(in_process) is TaskNotFound
    assert vars(over_http) == vars(in_process)


@pytest.mark.parametrize("status", [200, 404, 429, 502, 520, 524, 529])
def test_a_scripted_http_fault_is_the_same_over_http(status: int, serve: StartApplication, bridge: OpenBridge) -> None:
    emulator = Emulator(plugins.load("mjproxy")())
    url = serve(application(emulator))
    fault = HttpFault(status=status, body=HTML, headers={"retry-after": "7"})
    at_home = EmulatorTransport(Emulator(plugins.load("mjproxy")()))
    emulator.faults.add(fault)
    at_home.emulator.faults.add(fault)
    expected = at_home.send(HttpRequest("GET", "/mj/task/1/fetch"))
    response = bridge("mjproxy", url).account("a").transport.send(HttpRequest("GET", "/mj/task/1/fetch"))
    assert (response.status, response.body) == (expected.status, expected.body)
    assert response.headers["retry-after"] == "7"


def test_a_wait_goes_on_over_passing_failures_and_times_out_by_the_clock(
    scripted: StartServer,
) -> None:
    clock = Clock()
    unfinished = task_reply("mjproxy").replace(b"SUCCESS", b"NOT_SET")
    server = scripted(answering(reply(HTML, 502), reply(REFUSAL, 429), unfinished))
    config = {"accounts": {"a": {"provider": "mjproxy", "base_url": server.url, "poll_interval": 10}}}
    with Bridge(config, clock=clock, sleep=clock.sleep) as opened, pytest.raises(WaitTimeout) as caught:
        opened.wait(REF, timeout=60)
    assert caught.value.task is not None
    assert caught.value.task.status is Status.UNKNOWN
    assert 1_730_621_826 < clock.now <= 1_730_621_826 + 60


def test_a_body_that_is_no_json_is_the_callers_mistake(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(answering(submit_reply("mjproxy")))
    command = Imagine(prompt="a lighthouse", extra={"x": object()})
    error = failure(lambda opened: opened.submit(command, "a"), bridge("mjproxy", server.url))
    assert type(error) is InvalidCommand
    assert server.requests == []
