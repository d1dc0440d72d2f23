"""The fault matrix: every provider, every fault, every operation, over real sockets.

A route of two accounts: the first one's vendor has the fault, the second one's is sound. Each row of `FAULTS` says what
a submit and a read make of it, and whether the command goes on to the second account. Whatever happens, a task that
the first vendor may have made is never paid for again at the second.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate
from typing import Final, NamedTuple

import pytest

from mjbridge import (
    AuthenticationError,
    Bridge,
    ContentRejected,
    InvalidCommand,
    MalformedReply,
    MJBridgeError,
    QuotaExceeded,
    RateLimited,
    SubmissionUnknown,
    TaskNotFound,
    Unavailable,
    Unsupported,
    plugins,
)
from mjbridge.emulator import Emulator
from tests.exchanges import ENDLESS, HTML, KEY, PROVIDERS, REF, REFUSAL, submit_reply
from tests.servers import Connection, Handler, Scripted, answering, nobody, reply, scripted

PROMPT: Final = "a lighthouse at dusk"
SECONDS: Final = 0.1
"""The time-outs of the first account, where a fault is one of time."""
NOW: Final = 1_700_000_000


def closed(_connection: Connection) -> None:
    """Stands for a port where nobody listens."""


def reset_before_reading(connection: Connection) -> None:
    connection.arrived()
    connection.reset()


def reset_after_reading(connection: Connection) -> None:
    connection.request()
    connection.reset()


def silent(connection: Connection) -> None:
    connection.request()
    connection.hold()


def endless(head: bytes) -> Handler:
    def flood(connection: Connection) -> None:
        connection.request()
        connection.send(head)
        connection.drip(bytes(2**20), 2**10)

    return flood


def dripping(connection: Connection) -> None:
    connection.request()
    connection.send(reply(headers={"Content-Length": "1000000"}))
    connection.drip(b" ", ENDLESS, SECONDS / 4)


def cut(body: bytes) -> Handler:
    return answering(reply(body))


def own_words(status: int, **headers: str) -> Handler:
    return answering(reply(REFUSAL, status, {name.replace("_", "-"): value for name, value in headers.items()}))


def bare(status: int, **headers: str) -> Handler:
    return answering(reply(HTML, status, {name.replace("_", "-"): value for name, value in headers.items()}))


class Refuses(NamedTuple):
    """The vendor's own way to say an error, as its server half writes it."""

    error: MJBridgeError

    def handler(self, provider: str) -> Handler:
        loaded = plugins.load(provider)()
        emulator = Emulator(loaded)
        response = loaded.server(emulator.simulator, emulator.public_url).refuse(self.error)
        return answering(reply(response.body, response.status))


class Row(NamedTuple):
    """What becomes of a fault: of a submit, whether it `goes_on` to the next account, and of a read."""

    vendor: Handler | Refuses
    submit: type[MJBridgeError]
    goes_on: bool
    read: type[MJBridgeError]


DATE: Final = {"Retry_After": formatdate(NOW + 90, usegmt=True), "Date": formatdate(NOW, usegmt=True)}

# fmt: off
FAULTS: Final = {
    #                            the vendor                           a submit             goes on a read
    "refused connection":    Row(closed,                              Unavailable,         True,   Unavailable),
    "reset before reading":  Row(reset_before_reading,                SubmissionUnknown,   False,  Unavailable),
    "reset after reading":   Row(reset_after_reading,                 SubmissionUnknown,   False,  Unavailable),
    "read time-out":         Row(silent,                              SubmissionUnknown,   False,  Unavailable),
    "429 seconds":           Row(own_words(429, Retry_After="90"),    RateLimited,         True,   RateLimited),
    "429 date":              Row(own_words(429, **DATE),              RateLimited,         True,   RateLimited),
    "429 HTML":              Row(bare(429, Retry_After="90"),         RateLimited,         True,   RateLimited),
    "500 unknown words":     Row(own_words(500),                      SubmissionUnknown,   False,  Unavailable),
    "502 unknown words":     Row(own_words(502),                      SubmissionUnknown,   False,  Unavailable),
    "503 own words":         Row(own_words(503),                      Unavailable,         True,   Unavailable),
    "500 HTML":              Row(bare(500),                           SubmissionUnknown,   False,  Unavailable),
    "502 HTML":              Row(bare(502),                           SubmissionUnknown,   False,  Unavailable),
    "503 HTML":              Row(bare(503),                           Unavailable,         True,   Unavailable),
    "401":                   Row(own_words(401),                      AuthenticationError, True,   AuthenticationError),
    "402":                   Row(own_words(402),                      QuotaExceeded,       True,   QuotaExceeded),
    "403":                   Row(own_words(403),                      AuthenticationError, True,   AuthenticationError),
    "404":                   Row(own_words(404),                      TaskNotFound,        False,  TaskNotFound),
    "404 HTML":              Row(bare(404),                           SubmissionUnknown,   False,  MalformedReply),
    "422":                   Row(own_words(422),                      InvalidCommand,      False,  InvalidCommand),
    "banned prompt":         Row(Refuses(ContentRejected("banned")),  ContentRejected,     False,  ContentRejected),
    "queue full":            Row(Refuses(Unavailable("full")),        Unavailable,         True,   Unavailable),
    "HTML":                  Row(bare(200),                           SubmissionUnknown,   False,  MalformedReply),
    "truncated JSON":        Row(cut(b'{"code": 1, "result": "17'),   SubmissionUnknown,   False,  MalformedReply),
    "empty 200":             Row(cut(b""),                            SubmissionUnknown,   False,  MalformedReply),
    "null":                  Row(cut(b"null"),                        SubmissionUnknown,   False,  MalformedReply),
    "a body without an end": Row(endless(b"HTTP/1.1 200 OK\r\n\r\n"), SubmissionUnknown,   False,  MalformedReply),
    "a body of 1 GB":        Row(endless(reply(headers={"Content-Length": str(2**30)})),
                                                                      SubmissionUnknown,   False,  MalformedReply),
    "slow drip":             Row(dripping,                            SubmissionUnknown,   False,  Unavailable),
}
# fmt: on

# Where a vendor's own facts differ from the row.
EXCEPTIONS: Final[dict[tuple[str, str, str], type[MJBridgeError] | None]] = {
    ("apimart", "422", "submit"): ContentRejected,
    ("apimart", "422", "fetch"): ContentRejected,
    ("apimart", "422", "list"): ContentRejected,
    # It has no list: each task is asked for by itself, and one that is unknown is left out.
    ("apimart", "404", "list"): None,
    # novicezk has no other word for an unknown task.
    ("mjproxy", "empty 200", "fetch"): TaskNotFound,
}

TASK_ID: Final = REF.partition(":")[2]
READS: Final[dict[str, Callable[[Bridge], object]]] = {
    "fetch": lambda bridge: bridge.account("first").fetch(TASK_ID),
    "list": lambda bridge: bridge.account("first").fetch_many([TASK_ID]),
    "seed": lambda bridge: bridge.account("first").seed(TASK_ID),
}


class Vendors:
    """The two vendors, on real sockets, with what the first one does still to be said."""

    def __init__(self, stack: ExitStack) -> None:
        self.handler: Handler = closed
        self.sound: Handler = closed
        self.first = stack.enter_context(scripted(self._first))
        self.second = stack.enter_context(scripted(self._second))
        self.elsewhere = stack.enter_context(scripted(answering(reply(b"null"))))
        self.nobody = stack.enter_context(nobody())

    def _first(self, connection: Connection) -> None:
        self.handler(connection)

    def _second(self, connection: Connection) -> None:
        self.sound(connection)

    def fail(self, provider: str, row: Row) -> dict[str, object]:
        """Let the first vendor fail like that; gives the settings of its account."""
        for server in (self.first, self.second, self.elsewhere):
            server.forget()
        self.handler = row.vendor.handler(provider) if isinstance(row.vendor, Refuses) else row.vendor
        self.sound = answering(submit_reply(provider))
        # Where it is silence that has to end, a busy machine may take its time before the request leaves.
        connecting = SECONDS if self.handler is dripping else 30
        reading = SECONDS if self.handler in (silent, dripping) else 30
        url = self.nobody if self.handler is closed else self.first.url
        return {"base_url": url, "connect_timeout": connecting, "read_timeout": reading}


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with ExitStack() as stack:
        yield Vendors(stack)


def opened(provider: str, row: Row, vendors: Vendors) -> Bridge:
    common = {"provider": provider, "api_key": KEY}
    first = {**common, **vendors.fail(provider, row)}
    second = {**common, "base_url": vendors.second.url}
    return Bridge({"accounts": {"first": first, "second": second}, "routes": {"default": ["first", "second"]}})


def read(bridge: Bridge, operation: str) -> object:
    """What one try gives, or its error."""
    try:
        return READS[operation](bridge)
    except MJBridgeError as error:
        return error


def submits(server: Scripted) -> int:
    """The vendor's own count."""
    return sum(request.startswith(b"POST") and PROMPT.encode() in request for request in server.requests)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_submit(provider: str, fault: str, vendors: Vendors) -> None:
    row = FAULTS[fault]
    category = EXCEPTIONS.get((provider, fault, "submit"), row.submit) or row.submit
    with opened(provider, row, vendors) as bridge:
        if row.goes_on:
            task = bridge.imagine(PROMPT)
            attempts = task.attempts
            assert task.account == "second"
        else:
            with pytest.raises(MJBridgeError) as caught:
                bridge.imagine(PROMPT)
            attempts = caught.value.attempts
            assert type(caught.value) is category
            assert (caught.value.account, caught.value.operation) == ("first", "submit")
            assert caught.value.accepted == ("maybe" if category is SubmissionUnknown else "no")
    assert [(attempt.account, attempt.category) for attempt in attempts] == [("first", category.__name__)]
    assert submits(vendors.first) <= 1
    assert submits(vendors.second) == row.goes_on


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_read(provider: str, fault: str, operation: str, vendors: Vendors) -> None:
    """One try of it; no other account is ever asked."""
    row = FAULTS[fault]
    category = EXCEPTIONS.get((provider, fault, operation), row.read)
    with opened(provider, row, vendors) as bridge:
        outcome = read(bridge, operation)
    if isinstance(outcome, Unsupported):
        # Not every vendor has a seed; to find that out costs no request.
        assert (operation, vendors.first.requests) == ("seed", [])
    elif category is None:
        assert outcome == []
    else:
        assert (type(outcome), getattr(outcome, "account", "")) == (category, "first")
    assert vendors.second.requests == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_redirect_to_another_host(provider: str, status: int, vendors: Vendors) -> None:
    """It proves nothing, it is not followed, and the other host never hears of the key."""
    location = {"Location": f"{vendors.elsewhere.url}/elsewhere"}
    row = Row(answering(reply(b"", status, location)), SubmissionUnknown, goes_on=False, read=MalformedReply)
    with opened(provider, row, vendors) as bridge:
        with pytest.raises(SubmissionUnknown):
            bridge.imagine(PROMPT)
        assert all(isinstance(read(bridge, operation), MalformedReply | Unsupported) for operation in READS)
    assert submits(vendors.first) == 1
    assert vendors.second.requests == vendors.elsewhere.requests == []


@pytest.mark.parametrize("fault", ["429 seconds", "429 date", "429 HTML"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_both_forms_of_retry_after_keep_the_account_out(provider: str, fault: str, vendors: Vendors) -> None:
    with opened(provider, FAULTS[fault], vendors) as bridge:
        assert [bridge.imagine(PROMPT).account for _ in range(2)] == ["second", "second"]
        assert 30 < bridge.account("first").limits.cool_down.left <= 90
    assert (submits(vendors.first), submits(vendors.second)) == (1, 2)
