"""The key goes to its vendor, and shows up nowhere else."""

import logging
import re
import traceback
from base64 import b64encode
from pathlib import Path
from typing import Any, Final

import pytest

from mjbridge import Bridge, Imagine, Status, TaskFailed
from tests.exchanges import (
    BRIEF,
    CUTS,
    KEY,
    OPERATIONS,
    PNG,
    REF,
    REFUSAL,
    SILENCES,
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
from tests.servers import answering, reply

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


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"api_key": None}, b"Basic " + b64encode(b"me:p@ss")),
        ({"options": {"auth": "mj-api-secret"}}, b"Basic " + b64encode(b"me:p@ss")),
        ({}, f"Bearer {KEY}".encode()),
    ],
)
def test_a_password_in_the_base_url_is_sent_where_no_key_needs_its_place(
    settings: dict[str, Any], header: bytes, scripted: StartServer, bridge: OpenBridge
) -> None:
    """As for an installation of one's own behind a server that asks for one."""
    server = scripted(answering(task_reply("mjproxy")))
    fetch(bridge("mjproxy", server.url.replace("://", "://me:p%40ss@"), **settings))
    assert re.findall(rb"\r\nAuthorization: (.*)\r\n", server.requests[0]) == [header]


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


def test_no_error_shows_a_key_that_stands_in_the_accounts_headers(
    scripted: StartServer, bridge: OpenBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """Word by word: who echoes `Bearer KEY` may leave out the Bearer."""
    caplog.set_level(logging.DEBUG)
    server = scripted(answering(reply(b'{"error": {"message": "bad token tok-0123456789"}}', 401)))
    opened = bridge("mjproxy", server.url, headers={"X-Relay": "Bearer tok-0123456789", "X-Hop": "a"})
    shown = everything(failure(fetch, opened)) + caplog.text
    assert "bad token [key]" in shown
    assert "tok-0123456789" not in shown


PASSWORDS: Final = {
    "redirect": reply(b"", 302, {"Location": "/login"}),
    "echo": reply(b'{"error": {"message": "not bob:s3cretP%40ss, or s3cretP@ss"}}', 401),
    "header": reply(b'{"error": {"message": "not %s"}}' % b64encode(b"bob:s3cretP@ss"), 401),
}


def test_a_key_with_slashes_is_known_as_json_may_write_it(scripted: StartServer, bridge: OpenBridge) -> None:
    key = "sk-0123/4567/89abcdef"
    server = scripted(answering(reply(b'{"error": {"message": "no %s"}}' % key.replace("/", "\\/").encode(), 401)))
    error = failure(fetch, bridge("mjproxy", server.url, api_key=key))
    assert error.message == "no [key]"
    assert error.body == '{"error": {"message": "no [key]"}}'


@pytest.mark.parametrize("longer", [f"{KEY}-of-the-relay", f"a-relay-of-{KEY}"])
def test_a_key_that_holds_another_is_blotted_out_whole(longer: str, scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(
        answering(reply(b'{"error": {"message": "neither %s nor %s"}}' % (longer.encode(), KEY.encode()), 401))
    )
    opened = bridge("mjproxy", server.url, headers={"X-Relay": longer})
    assert failure(fetch, opened).message == "neither [key] nor [key]"


@pytest.mark.parametrize("echo", PASSWORDS)
def test_no_error_shows_the_password_of_a_base_url(
    echo: str, scripted: StartServer, bridge: OpenBridge, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setLevel(logging.DEBUG)
    url = scripted(answering(PASSWORDS[echo])).url
    opened = bridge("mjproxy", url.replace("http://", "http://bob:s3cretP%40ss@"), api_key=None)
    for operation in OPERATIONS:
        shown = everything(failure(operation, opened)) + caplog.text
        assert not [form for form in ("s3cretP%40ss", "s3cretP@ss", "Ym9iOnMzY3JldFBAc3M") if form in shown]
        assert f"{url}/login" in shown or "not " in shown


def test_no_failure_of_a_task_shows_a_key_that_the_vendor_echoes_as_its_reason(scripted: StartServer) -> None:
    """Neither the error, nor its task, nor the trail of a route."""
    record = f'{{"id": "7", "status": "FAILURE", "failReason": "Incorrect API key provided: {KEY}"}}'.encode()
    echo, accepted = reply(record), submit_reply("mjproxy")
    server = scripted(answering(accepted, echo, accepted, echo, accepted, reply(record.replace(KEY.encode(), b"x1"))))
    accounts = {
        name: {"provider": "mjproxy", "base_url": server.url, "api_key": key} for name, key in (("a", KEY), ("b", "x1"))
    }
    route = {"accounts": ["a", "b"], "on_task_failed": "next"}
    with Bridge({"accounts": accounts, "routes": {"default": route}}, sleep=lambda _: None) as opened:
        with pytest.raises(TaskFailed, match=r"Incorrect API key provided: \[key\]") as caught:
            opened.run(Imagine(prompt="pig"), "a")
        assert (caught.value.account, caught.value.provider, caught.value.operation) == ("a", "mjproxy", "run")
        assert KEY not in everything(caught.value)
        with pytest.raises(TaskFailed) as caught:
            opened.run(Imagine(prompt="pig"))
    assert caught.value.task is not None
    (attempt,) = caught.value.task.attempts
    assert (attempt.account, attempt.provider, attempt.category) == ("a", "mjproxy", "TaskFailed")
    assert attempt.message.endswith("Incorrect API key provided: [key]")


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
