"""The watch over keys sees a key that is leaked on purpose, in each of the ways that there are."""

import re
import sys
from pathlib import Path

import mjbridge
from tests.environments import ROOT
from tests.processes import run

_TESTS = """
import logging
from mjbridge import Bridge, MJBridgeError, Unavailable, config, keys
from mjbridge.account import Account
from mjbridge.events import Events, AttemptFailed
from mjbridge.testing import FakeTransport

KEY = "sk-leaked-0123456789"
ACCOUNT = {"provider": "mjproxy", "base_url": "http://mj.example", "api_key": KEY}
FACTS = {"account": "main", "provider": "mjproxy", "operation": "submit", "category": "Unavailable"}


def opened(transport=FakeTransport()):
    return Bridge({"accounts": {"main": ACCOUNT}}, transport=lambda *_: transport).account("main")


def test_nothing():
    opened()


def test_leak_by_a_log_line():
    opened()
    logging.getLogger("mjbridge.http").debug("sent with %s", KEY)


def test_leak_by_the_extra_of_a_log_line():
    opened()
    logging.getLogger("mjbridge").info("sent", extra={"header": f"Bearer {KEY}"})


def test_leak_by_a_logged_traceback():
    opened()
    try:
        raise ValueError(KEY)
    except ValueError:
        logging.getLogger("mjbridge.tasks").exception("failed")


def test_leak_by_an_event():
    opened()
    Events().tell(AttemptFailed, reason=f"no such key: {KEY}", **FACTS)


def test_leak_by_an_error():
    opened()
    Unavailable(f"no usable reply to {KEY}")


def test_leak_by_what_an_error_holds():
    opened()
    Unavailable("no usable reply").body = KEY


def test_leak_by_what_stands_behind_an_error():
    opened()
    try:
        try:
            raise ValueError(KEY)
        except ValueError:
            raise Unavailable("no usable reply")
    except MJBridgeError:
        pass


def test_leak_by_a_repr():
    class Chatty(FakeTransport):
        def __repr__(self):
            return f"Chatty({KEY})"

    opened(Chatty())


def test_leak_before_the_account_is_opened():
    config.load({"accounts": {"main": ACCOUNT}})
    logging.getLogger("mjbridge").warning("read %s", ACCOUNT)


def test_leak_of_a_key_from_elsewhere(monkeypatch):
    monkeypatch.setenv("OWN_KEY", KEY)
    keys.secret("env:OWN_KEY")
    logging.getLogger("mjbridge").warning("found %s", KEY)
"""


def test_each_leak_is_seen(tmp_path: Path) -> None:
    (tmp_path / "test_leaking.py").write_text(_TESTS)
    command = (sys.executable, "-m", "pytest", "-p", "tests.leaks", "-c", "/dev/null", "--rootdir", tmp_path)
    done = run(*command, "-p", "no:cacheprovider", "-v", tmp_path, cwd=ROOT)
    seen = set(re.findall(r"::(test_\w+) ERROR", done.stdout))
    assert seen == {name for name in re.findall(r"def (test_\w+)", _TESTS) if "leak" in name}, done.stdout
    assert len(seen) == 10


def test_every_logger_is_below_the_one_that_is_watched() -> None:
    sources = Path(mjbridge.__file__).parent.rglob("*.py")
    named = {name for source in sources for name in re.findall(r"getLogger\(f?\"(\w+)", source.read_text())}
    assert named == {"mjbridge"}
