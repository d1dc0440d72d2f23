"""What each answer means, whatever its status, body and size, for a read and for a submit."""

import gzip
import json
import tracemalloc
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Final

import pytest

from mjbridge import (
    AuthenticationError,
    Bridge,
    ContentRejected,
    HttpRequest,
    InvalidCommand,
    MalformedReply,
    MJBridgeError,
    QuotaExceeded,
    RateLimited,
    Status,
    SubmissionUnknown,
    TaskNotFound,
    Unavailable,
)
from mjbridge.transport import RequestsTransport
from tests.exchanges import (
    FOREIGN,
    HTML,
    KEY,
    OPERATIONS,
    REF,
    REFUSAL,
    OpenBridge,
    Operation,
    StartServer,
    failure,
    fetch,
    once,
    submit,
    submit_reply,
    task_reply,
)
from tests.servers import Connection, answering, reply

# An answer that is not the vendor's.


@pytest.mark.parametrize("foreign", FOREIGN)
def test_an_answer_that_is_no_task_is_malformed(
    foreign: str, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    # novicezk knows no other word for an unknown task.
    unknown = (provider, foreign) == ("mjproxy", "empty")
    server = scripted(answering(reply(FOREIGN[foreign])))
    error = failure(fetch, bridge(provider, server.url))
    assert type(error) is (TaskNotFound if unknown else MalformedReply)
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


@pytest.mark.parametrize(
    ("head", "category"),
    [
        (b"Content-Length: 0\r\n\r\n", TaskNotFound),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", TaskNotFound),
        (b"\r\n", MalformedReply),
    ],
    ids=["length", "chunked", "until closed"],
)
def test_only_an_empty_answer_that_is_whole_says_that_there_is_no_such_task(
    head: bytes, category: type[MJBridgeError], scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(once(b"HTTP/1.1 200 OK\r\n" + head))
    assert type(failure(fetch, bridge("mjproxy", server.url))) is category


@pytest.mark.parametrize("body", [HTML, b"", b"null"], ids=["html", "empty", "null"])
def test_a_list_or_a_seed_that_is_none_is_malformed(body: bytes, scripted: StartServer, bridge: OpenBridge) -> None:
    opened = bridge("mjproxy", scripted(answering(reply(body))).url)
    with pytest.raises(MalformedReply) as caught:
        opened.fetch_many([REF])
    assert caught.value.operation == "fetch_many"
    with pytest.raises(MalformedReply) as caught:
        opened.seed(REF)
    assert caught.value.operation == "seed"


def test_an_item_of_a_list_that_is_no_task_keeps_no_other_back(
    scripted: StartServer, bridge: OpenBridge, caplog: pytest.LogCaptureFixture
) -> None:
    told = b'[{"id":"1","status":"SUCCESS"}, {"status":"SUCCESS"}, null, {"id":"3","status":"SUCCESS"}]'
    opened = bridge("mjproxy", scripted(answering(reply(told))).url)
    account = REF.partition(":")[0]
    found = opened.fetch_many([f"{account}:{number}" for number in "123"])
    assert [task.id for task in found] == ["1", "3"]
    assert sum("is left out" in message for message in caplog.messages) == 2


def test_a_list_without_one_task_in_it_is_malformed(scripted: StartServer, bridge: OpenBridge) -> None:
    opened = bridge("mjproxy", scripted(answering(reply(b"[null, 7]"))).url)
    with pytest.raises(MalformedReply):
        opened.fetch_many([REF])


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
    server = scripted(answering(reply(HTML, status, {"Location": f"{other.url}/elsewhere"})))
    error = failure(operation, bridge(provider, server.url))
    assert error.body == HTML.decode()
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
    503: Unavailable,
}
REFUSING: Final = (401, 402, 403, 429, 503)


@pytest.mark.parametrize(("status", "category"), OWN_WORDS.items())
def test_a_status_with_the_vendors_own_error_object_is_a_refusal(
    status: int, category: type[MJBridgeError], provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    # APIMart's 422 is moderation, whatever else it says.
    moderated = (provider, status) == ("apimart", 422)
    server = scripted(answering(reply(REFUSAL, status)))
    for operation in OPERATIONS:
        server.requests.clear()
        error = failure(operation, bridge(provider, server.url))
        assert type(error) is (ContentRejected if moderated else category)
        assert (error.accepted, error.http_status) == ("no", status)
        assert (error.vendor_code, error.message) == ("some_error", "the vendor says no")
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 408, 409, 500, 502, 504, 524])
def test_an_error_object_with_an_unknown_code_proves_nothing_where_the_status_blames_no_request(
    status: int, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(reply(REFUSAL, status)))
    error = failure(submit, bridge(provider, server.url))
    assert type(error) is SubmissionUnknown
    assert (error.accepted, error.message, len(server.requests)) == ("maybe", "the vendor says no", 1)
    assert (error.http_status, error.vendor_code) == (status, "some_error")
    assert type(failure(fetch, bridge(provider, server.url))) is Unavailable


_SPRING: Final = b'{"timestamp": "2026-11-22T00:00:00Z", "status": %d, "error": "%s", "path": "/mj/submit/imagine"}'
UNPROVEN: Final = {
    "Spring's 504": (504, _SPRING % (504, b"Gateway Timeout")),
    "Spring's 500": (500, _SPRING % (500, b"Internal Server Error")),
    "Spring's 400": (400, _SPRING % (400, b"Bad Request")),
    "Envoy's 504": (504, b'{"code": 504, "msg": "upstream request timeout"}'),
    "APISIX's 502": (502, b'{"code": 502, "message": "Bad Gateway"}'),
    "a foreign 400": (400, b'{"code": 400, "msg": "bad"}'),
    **{
        f"a code of the table in a {status}": (status, b'{"code": 9, "description": "refused"}')
        for status in (408, 504, 524)
    },
    **{
        f"a {told} told in a {status}": (status, b'{"error": {"code": %d, "message": "timed out", "type": "?"}}' % told)
        for told in (408, 504, 524)
        for status in (200, 400, 422, 429)
    },
    "a 504 told as text in a 400": (400, b'{"error": {"code": "504", "message": "timed out", "type": "?"}}'),
    "a flat 504 told in a 400": (400, b'{"code": 504, "description": "timed out", "type": "upstream_error"}'),
    "a 400 told in a 502": (502, b'{"error": {"code": 400, "message": "?", "type": "?"}}'),
    "a foreign -1": (502, b'{"code": -1, "msg": "upstream request timeout"}'),
    "200 and an id": (200, b'{"code": 200, "description": "ok", "result": "1730621826053455"}'),
    "0 and an id": (200, b'{"code": 0, "description": "success", "result": "1730621826053455"}'),
    "2 and an id": (200, b'{"code": 2, "description": "?", "result": "1730621826053455"}'),
    "a word and an id": (200, b'{"code": "success", "message": "", "data": "1730621826053455"}'),
    "a refusing code and an id": (200, b'{"code": 9, "description": "failed", "result": "1730621826053455"}'),
    "a full queue and an id": (200, b'{"code": 23, "description": "queue full", "result": "1730621826053455"}'),
    "no error and an id": (200, b'{"error": "", "code": 0, "result": "1730621826053455"}'),
    "an error and an id": (400, b'{"error": {"message": "?", "type": "?"}, "id": "1730621826053455"}'),
    "an error text and an id": (400, b'{"error": "?", "task_id": "1730621826053455"}'),
}


@pytest.mark.parametrize("answer", UNPROVEN)
def test_what_is_no_refusal_of_the_pages_is_bought_nowhere_else(
    answer: str, provider: str, scripted: StartServer
) -> None:
    """Gateways and unknown codes write JSON too, and a reply that names a task may have made it."""
    status, body = UNPROVEN[answer]
    server, spare = scripted(answering(reply(body, status))), scripted(answering(submit_reply("mjproxy")))
    accounts = {
        "main": {"provider": provider, "base_url": server.url, "api_key": KEY},
        "spare": {"provider": "mjproxy", "base_url": spare.url},
    }
    with Bridge({"accounts": accounts, "routes": {"default": ["main", "spare"]}}) as opened:
        error = failure(lambda bridge: bridge.imagine("a lighthouse"), opened)
    assert type(error) is SubmissionUnknown
    assert (error.accepted, len(server.requests), spare.requests) == ("maybe", 1, [])


def test_a_task_that_speaks_of_an_error_is_a_task(provider: str, scripted: StartServer, bridge: OpenBridge) -> None:
    told = json.loads(task_reply(provider).partition(b"\r\n\r\n")[2])
    server = scripted(answering(reply(json.dumps({**told, "error": "the second picture is blocked"}).encode())))
    assert fetch(bridge(provider, server.url)).status is Status.COMPLETED


@pytest.mark.parametrize("nothing", [None, "", {}], ids=["null", "text", "object"])
def test_an_error_that_is_empty_is_none(
    nothing: object, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    accepted = json.loads(submit_reply(provider).partition(b"\r\n\r\n")[2])
    server = scripted(answering(reply(json.dumps({**accepted, "error": nothing}).encode())))
    assert submit(bridge(provider, server.url)).status is Status.PENDING


@pytest.mark.parametrize(
    ("vendor", "status", "body"),
    [
        ("apimart", 500, {"error": {"code": 500, "message": "?", "type": "server_error"}}),
        ("apimart", 500, {"error": {"message": "?", "type": "internal_error"}}),
        ("apimart", 502, {"error": {"code": 502, "message": "?", "type": "bad_gateway"}}),
        ("apimart", 502, {"code": 9, "description": "refused"}),
        ("apimart", 200, {"code": 9, "description": "refused"}),
        ("mjproxy", 500, {"error": {"message": "?", "type": "new_api_error"}}),
        ("mjproxy", 200, {"success": False, "code": -1, "message": "?", "timestamp": "1"}),
        ("mjproxy", 200, {"code": 9, "description": "?", "result": None, "properties": {}}),
        ("mjproxy", 200, {"code": 23, "description": "?", "result": None}),
        ("mjproxy", 200, {"code": 23, "description": "?", "result": ""}),
        ("mjproxy", 500, {"description": "get_channel_info_failed ", "type": "upstream_error", "code": 4}),
    ],
)
def test_a_refusal_of_the_pages_goes_on_to_the_next_account(
    vendor: str, status: int, body: dict[str, Any], scripted: StartServer
) -> None:
    server = scripted(answering(reply(json.dumps(body).encode(), status)))
    accounts = {
        "main": {"provider": vendor, "base_url": server.url, "api_key": KEY},
        "spare": {"provider": "mjproxy", "base_url": "emulator:"},
    }
    with Bridge({"accounts": accounts, "routes": {"default": ["main", "spare"]}}) as opened:
        task = opened.imagine("a lighthouse")
    assert (task.account, [each.category for each in task.attempts]) == ("spare", ["Unavailable"])


@pytest.mark.parametrize("said", ["", " ", " 123", ": 123", " the upstream's words: 123"])
@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("quota_not_enough", QuotaExceeded),
        ("该任务所属渠道已被禁用", Unavailable),
        ("task_not_found", TaskNotFound),
        ("insert_midjourney_task_failed", SubmissionUnknown),
        ("prompt_is_required", InvalidCommand),
    ],
)
def test_a_relays_word_counts_whatever_the_upstream_said_behind_it(
    word: str, category: type[MJBridgeError], said: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    """new-api's description is `<word> <result>`."""
    body = {"description": f"{word}{said}", "type": "upstream_error", "code": 4}
    server = scripted(answering(reply(json.dumps(body).encode(), 400)))
    assert type(failure(submit, bridge("mjproxy", server.url))) is category


@pytest.mark.parametrize("text", ["30 seconds are over", "9: no", "-1 is no index"])
def test_a_number_at_the_beginning_of_a_text_is_no_code(
    text: str, provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    body = json.dumps({"code": 502, "message": text, "description": text}).encode()
    assert type(failure(submit, bridge(provider, scripted(answering(reply(body, 502))).url))) is SubmissionUnknown


def test_a_refusal_in_the_relays_own_shape_needs_no_known_code(scripted: StartServer, bridge: OpenBridge) -> None:
    own = b'{"description": "mode_not_allowed ", "type": "one_hub_error", "code": 7}'
    error = failure(submit, bridge("mjproxy", scripted(answering(reply(own, 400))).url))
    assert (type(error), error.accepted, error.vendor_code) == (InvalidCommand, "no", "7")


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
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "9" * 400}, 31_622_400.0),
        ({"Retry-After": "Wed, 21 Oct 9999 07:28:00 GMT", "Date": formatdate(NOW, usegmt=True)}, 31_622_400.0),
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


@pytest.mark.parametrize("status", [200, 302])
@pytest.mark.parametrize("encodings", ["gzip", "gzip, gzip"])
def test_a_gzip_bomb_is_not_unpacked(
    encodings: str, status: int, scripted: StartServer, transport: Callable[..., RequestsTransport]
) -> None:
    bomb = gzip.compress(bytes(2**23)) * 32
    body = bomb if encodings == "gzip" else gzip.compress(bomb)
    server = scripted(answering(reply(body, status, {"Content-Encoding": encodings, "Location": "/elsewhere"})))
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
