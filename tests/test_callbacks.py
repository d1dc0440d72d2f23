"""Callbacks: what is news, what is not, and what a server on a real socket answers to anybody."""

import asyncio
import http.client
import io
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
import requests

import mjbridge
from mjbridge import Bridge, Status, Task, callbacks
from mjbridge.callbacks import LIMIT, Recent
from tests.processes import PATIENCE

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

SECRET: Final = "0123456789abcdef-secret"
StartApplication = Callable[["WSGIApplication"], str]


@pytest.fixture
def bridge() -> Bridge:
    accounts = {
        name: {"provider": name, "base_url": "emulator:"} for name in ("apimart", "cometapi", "mjproxy", "octopusx")
    }
    return Bridge({"accounts": accounts})


def record(**fields: Any) -> dict[str, Any]:
    return {
        "id": "1730621826053455",
        "action": "IMAGINE",
        "status": "IN_PROGRESS",
        "progress": "50%",
        "prompt": "a lighthouse",
        "imageUrl": "https://cdn.example.com/preview.webp",
        **fields,
    }


SUBMITTED: Final = record(status="SUBMITTED", progress="0%", imageUrl=None)
HALF: Final = record()
DONE: Final = record(status="SUCCESS", progress="100%", imageUrl="https://cdn.example.com/a.png", prompt="")
FAILED: Final = record(status="FAILURE", progress="", failReason="the moon was in the way")


def body(record: object) -> bytes:
    return json.dumps(record).encode()


# What is news.


def test_news_is_the_task_with_all_that_was_told_of_it(bridge: Bridge) -> None:
    heard = [bridge.receive(body(told), "mjproxy") for told in (SUBMITTED, HALF, DONE)]
    tasks = [task for task in heard if task]
    assert [task.status for task in tasks] == [Status.PENDING, Status.PROCESSING, Status.COMPLETED]
    assert {(task.prompt, task.account) for task in tasks} == {("a lighthouse", "mjproxy")}
    task = tasks[-1]
    assert task.ref == "mjproxy:1730621826053455"
    assert task.image_url == "https://cdn.example.com/a.png"
    assert json.loads(bytes(task.raw)) == DONE


@pytest.mark.parametrize("later", [DONE, HALF, SUBMITTED, FAILED], ids=["repeat", "half", "submitted", "failed"])
def test_a_repeat_and_news_from_before_are_none(later: dict[str, Any], bridge: Bridge) -> None:
    """Pools of threads deliver: the order is anybody's, and novicezk may end a task twice."""
    known: dict[str, Task] = {}
    assert bridge.receive(body(DONE), "mjproxy", known)
    assert bridge.receive(body(later), "mjproxy", known) is None
    (task,) = known.values()
    assert (task.status, task.image_url) == (Status.COMPLETED, "https://cdn.example.com/a.png")


def test_old_news_still_fills_what_was_empty(bridge: Bridge) -> None:
    known: dict[str, Task] = {}
    bridge.receive(body(DONE), "mjproxy", known)
    assert bridge.receive(body(HALF), "mjproxy", known) is None
    assert known["mjproxy:1730621826053455"].prompt == "a lighthouse"


def test_a_failure_that_did_not_last_is_overtaken(bridge: Bridge) -> None:
    assert bridge.receive(body(FAILED), "mjproxy")
    task = bridge.receive(body(DONE), "mjproxy")
    assert task is not None
    assert (task.status, task.fail_reason) == (Status.COMPLETED, None)


def test_what_the_caller_knows_is_merged_in(bridge: Bridge) -> None:
    """Any mapping will do: here what a submit answered."""
    submitted = Task(id="1730621826053455", account="mjproxy", provider="mjproxy", state="my own", speed="fast")
    known = {submitted.ref: submitted}
    task = bridge.receive(body(DONE), "mjproxy", known)
    assert task is not None
    assert (task.state, task.speed, task.status) == ("my own", "fast", Status.COMPLETED)
    assert known == {submitted.ref: task}


def test_two_accounts_with_one_id_are_two_tasks(bridge: Bridge) -> None:
    assert bridge.receive(body(DONE), "mjproxy")
    assert bridge.receive(body(DONE), "octopusx")


UNIFIED: Final = {
    "id": "task_01K8AZ",
    "status": "completed",
    "progress": 100,
    "created": 1763088289,
    "completed": 1763088308,
    "result": {"images": [{"url": ["https://cdn.example.com/a.png"], "expires_at": 1763174708}]},
}


@pytest.mark.parametrize(
    "wrapped", [UNIFIED, {"code": 200, "data": UNIFIED}, [UNIFIED]], ids=["single", "data", "list"]
)
def test_every_form_of_apimart_s_webhook_is_read(wrapped: object, bridge: Bridge) -> None:
    task = bridge.receive(body(wrapped), "apimart")
    assert task is not None
    assert (task.id, task.status, task.images) == ("task_01K8AZ", Status.COMPLETED, ("https://cdn.example.com/a.png",))


def test_the_family_s_old_callbacks_in_numbers_are_read(bridge: Bridge) -> None:
    """Trueai before v5.8.16 posted its enumerations as numbers."""
    task = bridge.receive(
        body(record(status=5, action=0, botType=0, imageUrl="https://cdn.example.com/a.png")), "mjproxy"
    )
    assert task is not None
    assert (task.status, task.action) == (Status.COMPLETED, "imagine")


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"null",
        b"<html>",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"[" * 100_000,
        b'{"id": ',
        b'{"status": "SUCCESS"}',
        body([DONE, HALF]),
        b'{"id": "1", "prompt": "' + b"x" * LIMIT + b'"}',
    ],
)
def test_junk_is_a_malformed_record_and_changes_nothing(junk: bytes, bridge: Bridge) -> None:
    known: dict[str, Task] = {}
    with pytest.raises(mjbridge.MalformedRecord) as caught:
        bridge.receive(junk, "mjproxy", known)
    assert str(caught.value).count("(mjproxy)") == 1
    assert (caught.value.account, caught.value.provider, caught.value.operation) == ("mjproxy", "mjproxy", "callback")
    assert known == {}


def test_a_task_that_a_callback_ends_frees_its_place_and_is_settled_in_the_journal(tmp_path: Path) -> None:
    """An application that lives on callbacks alone never polls."""
    account = {"provider": "mjproxy", "base_url": "emulator:", "max_in_flight": 1}
    with Bridge({"accounts": {"main": account}}, journal=tmp_path / "jobs.db") as bridge:
        assert bridge.journal is not None
        for _ in range(2):
            task = bridge.imagine("a lighthouse")
            assert [entry.ref for entry in bridge.journal.unsettled()] == [task.ref]
            bridge.receive(body(record(id=task.id)), "main")
            with pytest.raises(mjbridge.RateLimited):
                bridge.imagine("a lighthouse")
            bridge.receive(body(DONE | {"id": task.id}), "main")
            assert list(bridge.journal.unsettled()) == []


def test_an_account_that_does_not_exist_is_said(bridge: Bridge) -> None:
    with pytest.raises(mjbridge.ConfigError, match="did you mean 'mjproxy'"):
        bridge.receive(body(DONE), "mjprox")


def test_of_two_at_once_one_is_news(bridge: Bridge) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = [pool.submit(bridge.receive, body(DONE), "mjproxy") for _ in range(50)]
    assert sum(each.result() is not None for each in told) == 1


def test_memory_is_bounded_and_forgets_the_longest_silent_first() -> None:
    known = Recent(most=2)
    for task_id in ("1", "2", "1", "3"):
        known[task_id] = Task(id=task_id, raw=msgspec.Raw(b"{}"))
    assert list(known) == ["1", "3"]
    assert [bytes(task.raw) for task in known.values()] == [b"", b""]


# A server on a socket.


def wsgi(bridge: Bridge, serve: StartApplication, on_news: callbacks.OnNews) -> str:
    return serve(callbacks.wsgi(bridge, "mjproxy", SECRET, on_news))


def test_the_vendor_posts_and_the_application_hears(bridge: Bridge, serve: StartApplication) -> None:
    news: list[Task] = []
    url = wsgi(bridge, serve, news.append)
    # APIMart puts "/callback" behind the address it is given.
    for told, path in ((HALF, SECRET), (DONE, f"hooks/{SECRET}"), (DONE, SECRET), (HALF, f"{SECRET}/callback")):
        answer = requests.post(f"{url}/{path}", json=told, timeout=PATIENCE)
        assert (answer.status_code, answer.content) == (204, b"")
    assert [task.status for task in news] == [Status.PROCESSING, Status.COMPLETED]


REFUSED: Final = [
    ("POST", "/", body(DONE), 404),
    ("POST", f"/{SECRET}x", body(DONE), 404),
    ("POST", f"/{SECRET[:-1]}", body(DONE), 404),
    ("POST", "/%ff%00", body(DONE), 404),
    ("GET", "/", b"", 404),
    ("GET", f"/{SECRET}", b"", 405),
    ("PUT", f"/{SECRET}", body(DONE), 405),
    ("POST", f"/{SECRET}", b"", 400),
    ("POST", f"/{SECRET}", b"<html>", 400),
    ("POST", f"/{SECRET}", b" " * (LIMIT + 1), 413),
]


@pytest.mark.parametrize(("method", "path", "sent", "status"), REFUSED)
def test_anybody_else_hears_no(
    method: str, path: str, sent: bytes, status: int, bridge: Bridge, serve: StartApplication
) -> None:
    news: list[Task] = []
    answer = requests.request(method, wsgi(bridge, serve, news.append) + path, data=sent, timeout=PATIENCE)
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.headers.get("Allow") == ("POST" if status == 405 else None)
    assert news == []


def test_a_body_that_is_said_to_be_too_long_is_not_waited_for(bridge: Bridge, serve: StartApplication) -> None:
    host = wsgi(bridge, serve, print).removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    connection.putrequest("POST", f"/{SECRET}")
    connection.putheader("Content-Length", str(LIMIT + 1))
    connection.endheaders(b"x" * (LIMIT + 1))
    assert connection.getresponse().status == 413
    connection.close()


def test_no_more_is_read_of_a_body_than_tells_that_it_is_too_long(bridge: Bridge) -> None:
    told = io.BytesIO(bytes(2 * LIMIT))
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/{SECRET}",
        "wsgi.input": told,
        "CONTENT_LENGTH": f"{2 * LIMIT}",
    }
    application: Any = callbacks.wsgi(bridge, "mjproxy", SECRET, print)

    def start_response(_status: str, _headers: object) -> None:
        pass

    application(environ, start_response)
    assert told.tell() == LIMIT + 1


def test_a_body_in_chunks_is_read_to_its_end(bridge: Bridge, serve: StartApplication) -> None:
    """By a server that tells its length (waitress), and by one that tells that it ends (gunicorn)."""
    news: list[Task] = []
    told = body(HALF)
    url = f"{wsgi(bridge, serve, news.append)}/{SECRET}"
    assert requests.post(url, data=iter([told[:10], told[10:]]), timeout=PATIENCE).status_code == 204
    statuses: list[str] = []
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": f"/{SECRET}", "wsgi.input_terminated": True}
    application: Any = callbacks.wsgi(bridge, "mjproxy", SECRET, news.append)

    def start_response(status: str, _: object) -> None:
        statuses.append(status)

    for sent in (told, bytes(LIMIT + 2)):
        application({**environ, "wsgi.input": io.BytesIO(sent)}, start_response)
    # What 413 is called depends on Python's version.
    assert [status[:3] for status in statuses] == ["204", "413"]
    assert [task.status for task in news] == [Status.PROCESSING] * 2


def _failing_once(heard: list[Task]) -> Callable[[Task], None]:
    def on_news(task: Task) -> None:
        heard.append(task)
        if len(heard) == 1:
            raise RuntimeError("the database is down")

    return on_news


def test_news_that_the_application_failed_at_is_news_again(
    bridge: Bridge, serve: StartApplication, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: list[Task] = []
    url = f"{wsgi(bridge, serve, _failing_once(heard))}/{SECRET}"
    assert [requests.post(url, json=DONE, timeout=PATIENCE).status_code for _ in range(3)] == [500, 204, 204]
    assert len(heard) == 2
    capfd.readouterr()


def test_what_the_application_knew_outlives_news_that_it_failed_at(
    bridge: Bridge, serve: StartApplication, capfd: pytest.CaptureFixture[str]
) -> None:
    """Here the number of an order, which no vendor repeats."""
    submitted = Task(id="1730621826053455", account="mjproxy", provider="mjproxy", state="order 17")
    known = {submitted.ref: submitted}
    heard: list[Task] = []
    url = f"{serve(callbacks.wsgi(bridge, 'mjproxy', SECRET, _failing_once(heard), known))}/{SECRET}"
    assert requests.post(url, json=DONE, timeout=PATIENCE).status_code == 500
    assert known == {submitted.ref: submitted}
    assert requests.post(url, json=DONE, timeout=PATIENCE).status_code == 204
    assert [(task.status, task.state) for task in heard] == [(Status.COMPLETED, "order 17")] * 2
    capfd.readouterr()


def test_news_that_the_application_failed_at_takes_no_later_news_back(bridge: Bridge) -> None:
    heard: list[Status] = []

    def answered(_status: str, _headers: object) -> None:
        pass

    def post(told: object) -> None:
        sent = body(told)
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": f"/{SECRET}", "CONTENT_LENGTH": str(len(sent))}
        application({**environ, "wsgi.input": io.BytesIO(sent)}, answered)

    def on_news(task: Task) -> None:
        heard.append(task.status)
        if task.status is Status.PROCESSING:
            # Another thread of the server, while this one is at it.
            post(DONE)
            raise RuntimeError("the database is down")

    application: Any = callbacks.wsgi(bridge, "mjproxy", SECRET, on_news)
    with pytest.raises(RuntimeError):
        post(HALF)
    for repeated in (DONE, HALF):
        post(repeated)
    assert heard == [Status.PROCESSING, Status.COMPLETED]


@pytest.mark.parametrize("secret", ["", "short", "with/a/slash/and/more", "ein Geheimnis mit Leerzeichen", "ö" * 20])
def test_a_secret_that_is_none_is_refused(secret: str, bridge: Bridge) -> None:
    with pytest.raises(mjbridge.ConfigError, match="token_urlsafe"):
        callbacks.wsgi(bridge, "mjproxy", secret, print)


@pytest.mark.parametrize("adapter", [callbacks.wsgi, callbacks.asgi])
def test_an_account_that_cannot_be_used_is_refused_before_any_callback_comes(
    adapter: Callable[..., object], bridge: Bridge
) -> None:
    with pytest.raises(mjbridge.ConfigError, match="did you mean 'mjproxy'"):
        adapter(bridge, "mjprox", SECRET, print)
    keyless = Bridge({"accounts": {"main": {"provider": "cometapi"}}})
    with pytest.raises(mjbridge.ConfigError, match="needs an api_key"):
        adapter(keyless, "main", SECRET, print)


# ASGI, driven by hand.


def drive(application: callbacks.ASGIApplication, method: str, path: str, *chunks: bytes) -> Mapping[str, Any]:
    """The start of the application's response."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(_awaited(application({"type": "http", "method": method, "path": path}, receive, send)))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]


async def _awaited(awaitable: Any) -> None:
    await awaitable


def test_asgi_does_the_same(bridge: Bridge) -> None:
    news: list[Task] = []

    async def on_news(task: Task) -> None:
        await asyncio.sleep(0)
        news.append(task)

    application = callbacks.asgi(bridge, "mjproxy", SECRET, on_news)
    told = body(DONE)
    for _ in range(2):
        assert drive(application, "POST", f"/hooks/{SECRET}", told[:10], told[10:])["status"] == 204
    assert [task.status for task in news] == [Status.COMPLETED]
    plain = callbacks.asgi(bridge, "mjproxy", SECRET, news.append)
    # A 204 has no length: https://httpwg.org/specs/rfc9110.html#field.content-length
    assert drive(plain, "POST", f"/{SECRET}", told) == {"type": "http.response.start", "status": 204, "headers": []}
    assert len(news) == 2


def test_asgi_makes_news_that_the_application_failed_at_news_again(bridge: Bridge) -> None:
    heard: list[Task] = []
    application = callbacks.asgi(bridge, "mjproxy", SECRET, _failing_once(heard))
    with pytest.raises(RuntimeError, match="the database is down"):
        drive(application, "POST", f"/{SECRET}", body(DONE))
    assert drive(application, "POST", f"/{SECRET}", body(DONE))["status"] == 204
    assert len(heard) == 2


class _Slow(Recent):
    """What is known, once somebody else lets go of it: as a journal or a database may keep a callback waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.free = Event(), Event()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.set()
        assert self.free.wait(PATIENCE)
        return super().get(key, default)


def test_asgi_keeps_nobody_waiting_and_what_nobody_heard_is_news_again(bridge: Bridge) -> None:
    news: list[Task] = []
    known = _Slow()
    application = callbacks.asgi(bridge, "mjproxy", SECRET, news.append, known)

    async def receive() -> Any:
        return {"type": "http.request", "body": body(DONE), "more_body": False}

    async def send(_: Any) -> None:
        pass

    async def leave() -> None:
        scope = {"type": "http", "method": "POST", "path": f"/{SECRET}"}
        call = asyncio.ensure_future(_awaited(application(scope, receive, send)))
        while not known.asked.is_set():
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        known.free.set()
        await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(leave())
    assert (news, [*known]) == ([], [])
    assert drive(application, "POST", f"/{SECRET}", body(DONE))["status"] == 204
    assert len(news) == 1


@pytest.mark.parametrize(("method", "path", "sent", "status"), REFUSED)
def test_asgi_refuses_the_same(method: str, path: str, sent: bytes, status: int, bridge: Bridge) -> None:
    start = drive(callbacks.asgi(bridge, "mjproxy", SECRET, print), method, path, sent)
    assert start["status"] == status
    assert (b"content-length", b"0") in start["headers"]
    assert ((b"allow", b"POST") in start["headers"]) == (status == 405)


def test_asgi_reads_no_more_of_a_flood_than_it_must(bridge: Bridge) -> None:
    read = 0

    async def receive() -> Any:
        nonlocal read
        read += 2**20
        return {"type": "http.request", "body": bytes(2**20), "more_body": True}

    async def send(message: Any) -> None:
        assert message.get("status", 413) == 413

    application = callbacks.asgi(bridge, "mjproxy", SECRET, print)
    asyncio.run(_awaited(application({"type": "http", "method": "POST", "path": f"/{SECRET}"}, receive, send)))
    assert read <= LIMIT + 2**20


def test_asgi_leaves_what_is_no_http_to_others(bridge: Bridge) -> None:
    application = callbacks.asgi(bridge, "mjproxy", SECRET, print)

    async def never(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(mjbridge.ConfigError, match="lifespan"):
        asyncio.run(_awaited(application({"type": "lifespan"}, never, never)))
