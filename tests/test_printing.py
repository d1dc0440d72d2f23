"""What a vendor says is shown, and steers neither a terminal nor a log."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from mjbridge import Bridge, ContentRejected, MalformedRecord
from mjbridge.printing import printable
from tests.servers import Handler, Scripted, answering, reply
from tests.shell import Shell

STEERING = "bad\x1b]0;title\x07\x1b[2J\r\nmain:1 completed\u202e\x9b1m"
SPELT_OUT = r"bad\x1b]0;title\x07\x1b[2J\r\nmain:1 completed\u202e\x9b1m"
RECORD = json.dumps(
    {"id": "1", "action": "IMAGINE", "status": "FAILURE", "failReason": STEERING, "prompt": STEERING}
).encode()
REFUSAL = json.dumps({"code": 24, "description": STEERING, "result": ""}).encode()

StartServer = Callable[[Handler], Scripted]


@pytest.mark.parametrize("text", ["a lighthouse", "häuschen 中 🔄 \u3000", "C:\\new"])
def test_text_that_steers_nothing_is_as_it_was(text: str) -> None:
    assert printable(text) == text


def test_the_command_line_shows_what_a_vendor_says_in_one_line(scripted: StartServer, tmp_path: Path) -> None:
    server = scripted(answering(reply(RECORD), reply(REFUSAL)))
    shell = Shell(tmp_path)
    (tmp_path / "mjbridge.toml").write_text(f'[accounts.main]\nprovider = "mjproxy"\nbase_url = "{server.url}"\n')
    failed, refused = shell("fetch", "main:1"), shell("imagine", "pig")
    assert failed.stdout.decode().splitlines() == [
        "main:1 failed",
        f"  prompt   {SPELT_OUT}",
        f"  reason   {SPELT_OUT}",
    ]
    (line,) = refused.stderr.decode().splitlines()
    assert SPELT_OUT in line


def test_an_error_is_one_line_and_its_message_verbatim(scripted: StartServer) -> None:
    server = scripted(answering(reply(REFUSAL)))
    with (
        Bridge({"accounts": {"main": {"provider": "mjproxy", "base_url": server.url}}}) as bridge,
        pytest.raises(ContentRejected) as refused,
    ):
        bridge.imagine("pig")
    assert SPELT_OUT in str(refused.value)
    assert refused.value.message == STEERING
    assert str(MalformedRecord("no", path="$.\x1b[2J")) == r"no (at $.\x1b[2J)"


def test_a_log_line_is_one_line(scripted: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    """A task's id is the vendor's text as well."""
    accepted = json.dumps({"code": 1, "result": STEERING, "description": "ok"}).encode()
    with Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": scripted(answering(reply(accepted))).url}}}
    ) as b:
        caplog.set_level(logging.DEBUG, "mjbridge")
        b.imagine("pig")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("mjbridge")]
    assert any(SPELT_OUT in line for line in lines)
    assert all(line == printable(line) for line in lines)
