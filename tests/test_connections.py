"""No connection, no answer, or one that never ends: what it means for a submit and for a read."""

import gzip
import socket
import ssl
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from mjbridge import (
    Bridge,
    Imagine,
    InvalidCommand,
    MalformedReply,
    SubmissionUnknown,
    Unavailable,
    Upload,
    WaitTimeout,
)
from mjbridge.emulator import pictures
from tests.exchanges import (
    BRIEF,
    CUTS,
    ENDLESS,
    HTML,
    OPERATIONS,
    PNG,
    REF,
    SILENCES,
    SOON,
    OpenBridge,
    Operation,
    StartServer,
    failure,
    fetch,
    once,
    resetting,
    silent,
    submit,
    submit_reply,
    task_reply,
)
from tests.servers import Connection, Handler, answering, certified, nobody, reply

# No connection: nothing was sent.


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_refused_connection_is_unavailable_and_certainly_not_accepted(
    operation: Operation, provider: str, bridge: OpenBridge
) -> None:
    with nobody() as url:
        error = failure(operation, bridge(provider, url))
    assert type(error) is Unavailable
    assert error.accepted == "no"
    assert (error.account, error.provider, error.operation) == ("a", provider, operation.__name__)


def _resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """`vendor.test` leads to all of the addresses."""
    resolve = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        names = addresses if host == "vendor.test" else (host,)
        return [found for name in names for found in resolve(name, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@contextmanager
def _full() -> Generator[socket.socket, None, None]:
    """A listener at every address of this machine that neither takes nor refuses another connection."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", listener.getsockname()[1]))
        yield listener


@pytest.mark.skipif(sys.platform != "linux", reason="what a full backlog does is the system's own")
def test_a_connect_time_out_is_certainly_not_accepted(bridge: OpenBridge) -> None:
    with _full() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        error = failure(submit, bridge("mjproxy", url, connect_timeout=BRIEF))
    assert type(error) is Unavailable
    assert error.accepted == "no"


@pytest.mark.skipif(sys.platform != "linux", reason="what a full backlog does is the system's own")
def test_the_time_of_a_call_bounds_the_connecting_however_many_addresses_a_name_has(
    bridge: OpenBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolving(monkeypatch, *(f"127.0.0.{last}" for last in range(1, 61)))
    with _full() as listener:
        opened = bridge("mjproxy", f"http://vendor.test:{listener.getsockname()[1]}", connect_timeout=60)
        started = time.monotonic()
        error = failure(lambda each: each.imagine("pig", route="a", timeout=5 * BRIEF), opened)
    assert time.monotonic() - started < SOON
    assert (type(error), error.accepted) == (Unavailable, "no")
    assert "no connection to vendor.test: ConnectTimeoutError" in str(error)


def test_a_name_s_next_address_is_tried_where_the_first_refuses(
    scripted: StartServer, bridge: OpenBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is sent is still about the name."""
    server = scripted(answering(task_reply("mjproxy")))
    _resolving(monkeypatch, "127.0.0.9", "127.0.0.1")
    opened = bridge("mjproxy", server.url.replace("127.0.0.1", "vendor.test"))
    for _ in range(2):
        fetch(opened)
    assert [b"\r\nHost: vendor.test:" in request for request in server.requests] == [True, True]


def test_a_failed_tls_handshake_is_certainly_not_accepted(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(lambda connection: connection.send(b"this is no TLS\r\n"))
    error = failure(submit, bridge("mjproxy", server.url.replace("http:", "https:")))
    assert type(error) is Unavailable
    assert error.accepted == "no"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_the_connection_is_certainly_not_accepted(scheme: str, bridge: OpenBridge) -> None:
    with nobody() as proxy:
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
    assert len(server.heard()) == 1
    assert b"a lighthouse at dusk" in server.requests[0]


@pytest.mark.parametrize("silence", SILENCES)
def test_a_submit_that_left_through_a_proxy_and_is_not_answered_is_unknown(
    silence: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    proxy = scripted(SILENCES[silence])
    error = failure(submit, bridge("mjproxy", "http://vendor.invalid", proxy=proxy.url, read_timeout=BRIEF))
    assert len(proxy.heard()) == 1
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
    assert len(server.heard()) == 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    "answer",
    [b"", reply(HTML, 502), b"\x17\x03\x03\x00\x20" + b"?" * 32],
    ids=["nothing", "plain", "garbled"],
)
def test_a_submit_after_which_tls_breaks_is_unknown(
    answer: bytes, version: ssl.TLSVersion, scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    certificate, context = certified(tmp_path)
    context.maximum_version = version

    def break_tls(connection: Connection) -> None:
        connection.start_tls(context)
        connection.request()
        connection.stop_tls()
        connection.send(answer)

    server = scripted(break_tls)
    url = server.url.replace("http:", "https:")
    error = failure(submit, bridge("mjproxy", url, verify=certificate))
    assert len(server.heard()) == 1
    assert type(error) is SubmissionUnknown


def test_a_button_press_that_is_not_answered_is_unknown_and_sent_only_once(
    provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(resetting)
    error = failure(lambda opened: opened.press(REF, "MJ::JOB::upsample::2::hash"), bridge(provider, server.url))
    assert type(error) is SubmissionUnknown
    assert len(server.heard()) == 1


def test_a_follow_up_whose_parent_cannot_be_read_was_not_submitted(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(resetting)
    error = failure(lambda opened: opened.upscale(REF, 2), bridge("mjproxy", server.url))
    assert (type(error), error.accepted) == (Unavailable, "no")
    assert not any(request.startswith(b"POST") for request in server.requests)


@pytest.mark.parametrize("failing", [silent, resetting, answering(reply(HTML, 502))], ids=["silent", "reset", "502"])
@pytest.mark.parametrize(
    ("vendor", "path"),
    [
        ("apimart", b"/v1/uploads/images"),
        ("mjproxy", b"/mj/submit/upload-discord-images"),
        ("octopusx", b"/mj/submit/upload-discord-images"),
    ],
)
def test_a_picture_that_cannot_be_uploaded_is_no_submit_and_the_route_goes_on(
    vendor: str, path: bytes, failing: Handler, scripted: StartServer, tmp_path: Path
) -> None:
    """What was to be bought has not left: however the upload fails, nothing of it can have been accepted."""
    server = scripted(failing)
    account = {"provider": vendor, "base_url": server.url, "api_key": "sk-1", "read_timeout": BRIEF}
    accounts = {"main": account, "spare": {"provider": "mjproxy", "base_url": "emulator:"}}
    journal = f"{tmp_path}/journal.db"
    with Bridge({"accounts": accounts, "routes": {"default": ["main", "spare"]}, "journal": journal}) as opened:
        task = opened.imagine("a lighthouse", style_reference=(pictures.grid("a cat"),))
        assert opened.journal is not None
        assert [each.account for each in opened.journal.all()] == ["spare"]
    assert (task.account, [each.category for each in task.attempts]) == ("spare", ["Unavailable"])
    assert [request.split(b" ")[1] for request in server.requests] == [path]


def test_an_upload_that_is_all_that_was_asked_for_may_cost_where_the_relay_has_a_price_for_it(
    scripted: StartServer, bridge: OpenBridge
) -> None:
    """new-api's default prices name `mj_upload`."""
    server = scripted(answering(reply(HTML, 502)))
    error = failure(lambda opened: opened.submit(Upload(images=(PNG,)), "a"), bridge("octopusx", server.url))
    assert (type(error), len(server.requests)) == (SubmissionUnknown, 1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_that_drips_for_longer_than_the_time_outs_is_cut(
    operation: Operation, scripted: StartServer, bridge: OpenBridge
) -> None:
    def drip(connection: Connection) -> None:
        connection.request()
        connection.send(reply(headers={"Content-Length": "1000000"}))
        connection.drip(b" ", ENDLESS, BRIEF / 5)

    server = scripted(drip)
    opened = bridge("mjproxy", server.url, connect_timeout=3 * BRIEF, read_timeout=BRIEF)
    started = time.monotonic()
    error = failure(operation, opened)
    assert time.monotonic() - started < SOON
    assert type(error) is (SubmissionUnknown if operation is submit else Unavailable)
    assert error.accepted == "maybe"


_OK: Final = b"HTTP/1.1 200 OK\r\n"
_CHUNKED: Final = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
DRIPS: Final = {
    "head": (b"", b"H"),
    "headers": (_OK, b"X-More: 1\r\n"),
    "interim replies": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks": (_CHUNKED, b"1\r\n \r\n"),
    "chunk size": (_CHUNKED, b"0"),
    "chunk extension": (_CHUNKED + b"1;", b"x"),
    "trailers": (_CHUNKED + b"0\r\n", b"X-More: 1\r\n"),
    "empty gzip blocks": (_OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"")),
}


@pytest.mark.parametrize("drip", DRIPS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_that_drips_outlasts_the_time_outs(
    operation: Operation, drip: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    """A drop always comes before the read time-out, and would come for minutes."""
    start, drop = DRIPS[drip]

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(start)
        connection.drip(drop, ENDLESS, BRIEF / 5)

    server = scripted(handle)
    started = time.monotonic()
    error = failure(operation, bridge("mjproxy", server.url, connect_timeout=3 * BRIEF, read_timeout=BRIEF))
    assert time.monotonic() - started < SOON
    assert type(error) is (SubmissionUnknown if operation is submit else Unavailable)
    assert (error.accepted, len(server.heard())) == ("maybe", 1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_reply_that_is_encoded_twice_is_not_unpacked(
    operation: Operation, scripted: StartServer, bridge: OpenBridge
) -> None:
    """A few kilobytes would fill the memory before anybody could count them."""
    body = gzip.compress(gzip.compress(b'{"code":1,"description":"ok","result":"1"}'))

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(_OK + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    error = failure(operation, bridge("mjproxy", scripted(handle).url))
    assert type(error) is (SubmissionUnknown if operation is submit else MalformedReply)
    assert (error.accepted, "encoded more than once" in str(error)) == ("maybe", True)


def test_a_reply_through_tls_that_drips_is_cut(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    certificate, context = certified(tmp_path)

    def drip(connection: Connection) -> None:
        connection.start_tls(context)
        connection.request()
        connection.drip(b"H", ENDLESS, BRIEF / 5)

    url = scripted(drip).url.replace("http:", "https:")
    opened = bridge("mjproxy", url, verify=certificate, connect_timeout=10 * BRIEF, read_timeout=BRIEF)
    started = time.monotonic()
    assert type(failure(submit, opened)) is SubmissionUnknown
    assert time.monotonic() - started < SOON


def test_a_proxy_that_drips_its_answer_is_cut_and_nothing_was_submitted(
    scripted: StartServer, bridge: OpenBridge
) -> None:
    def drip(connection: Connection) -> None:
        connection.request()
        connection.drip(b"H", ENDLESS, BRIEF / 5)

    proxy = scripted(drip).url
    opened = bridge("mjproxy", "https://vendor.invalid", proxy=proxy, connect_timeout=3 * BRIEF, read_timeout=BRIEF)
    started = time.monotonic()
    error = failure(submit, opened)
    assert time.monotonic() - started < SOON
    assert (type(error), error.accepted) == (Unavailable, "no")


def test_a_vendor_that_sips_a_large_request_is_left(scripted: StartServer, bridge: OpenBridge) -> None:
    """Each sip begins the time-out of a write anew; the exchange ends all the same."""

    def sip(connection: Connection) -> None:
        connection.sip(2**14, ENDLESS, BRIEF / 5)

    opened = bridge("mjproxy", scripted(sip).url, connect_timeout=3 * BRIEF, read_timeout=BRIEF)
    started = time.monotonic()
    error = failure(lambda each: each.submit(Imagine(prompt="pig", extra={"x": "x" * 2**25}), "a"), opened)
    assert time.monotonic() - started < SOON
    assert type(error) is SubmissionUnknown


@pytest.mark.parametrize("manner", ["silent", "dripping", "silent after the head"])
def test_the_time_of_a_call_bounds_the_reading_of_a_picture_for_it(
    manner: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    """Where the vendor wants content, an address is read here, before anything is submitted."""

    def picture(connection: Connection) -> None:
        connection.request()
        if manner != "silent":
            connection.send(reply(headers={"Content-Length": "1000000"}))
        if manner == "dripping":
            connection.drip(b"x", ENDLESS, BRIEF / 5)
        connection.hold()

    server = scripted(picture)
    opened = bridge("mjproxy", server.url, connect_timeout=60, read_timeout=60)
    started = time.monotonic()
    with pytest.raises(InvalidCommand, match="cannot be read"):
        opened.describe(f"{server.url}/cat.png", timeout=5 * BRIEF)
    assert time.monotonic() - started < SOON
    assert len(server.heard()) == 1


def test_the_time_of_a_call_cuts_its_exchange_short(scripted: StartServer, bridge: OpenBridge) -> None:
    """However long the account's own time-outs are."""
    opened = bridge("mjproxy", scripted(silent).url, connect_timeout=60, read_timeout=60)
    started = time.monotonic()
    with pytest.raises(SubmissionUnknown):
        opened.imagine("a lighthouse", route="a", timeout=5 * BRIEF)
    with pytest.raises(Unavailable):
        opened.fetch(REF, timeout=5 * BRIEF)
    with pytest.raises(WaitTimeout):
        opened.wait(REF, timeout=5 * BRIEF)
    assert time.monotonic() - started < SOON
