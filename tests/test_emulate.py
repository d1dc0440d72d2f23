"""`mjbridge emulate`, as an application meets it: a process of its own, reached over HTTP."""

import os
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

import mjbridge
from mjbridge import Bridge, Status
from mjbridge.emulator import BannedPrompt, FailTask, Fault, HttpFault, QueueFull, SlowReply
from mjbridge.emulator.faults import parse
from tests.exchanges import PROVIDERS
from tests.processes import PATIENCE, running
from tests.shell import Shell


class Emulated:
    """A running `mjbridge emulate`."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        assert process.stdout
        lines: list[str] = []
        while not lines or not lines[-1].startswith("curl "):
            lines.append(process.stdout.readline().decode())
            assert lines[-1], process.stderr and process.stderr.read()
        self.greeting = "".join(lines[:-1])
        self.curl = lines[-1]
        self.config = tomllib.loads(self.greeting.partition("\n")[2])
        self.url = self.greeting.split()[4]

    def bridge(self, **settings: Any) -> Bridge:
        """A bridge as the greeting configures it."""
        return Bridge({"accounts": {"emulated": {**self.config["accounts"]["emulated"], **settings}}})

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """Its exit code and what it said on stderr."""
        self.process.send_signal(how)
        _, told = self.process.communicate()
        return self.process.returncode, told.decode()


Emulate = Callable[..., Emulated]


@pytest.fixture
def emulate() -> Iterator[Emulate]:
    with ExitStack() as stack:

        def start(*arguments: str) -> Emulated:
            command = (sys.executable, "-m", "mjbridge", "emulate", "--port", "0", *arguments)
            environment = {**os.environ, "COLUMNS": "200"}
            return Emulated(stack.enter_context(running(*command, env=environment, stdout=subprocess.PIPE)))

        yield start


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_story_over_http(provider: str, emulate: Emulate, tmp_path: Path) -> None:
    """By the configuration it prints; and its pictures can be fetched by anybody."""
    emulated = emulate("--provider", provider, "--seconds", "0.1", "--key", 'sk-"emulated"')
    with emulated.bridge(poll_interval=0.05) as bridge:
        grid = bridge.wait(bridge.imagine("a lighthouse"))
        single = bridge.wait(bridge.upscale(grid, 2))
        paths = [*bridge.download(grid, tmp_path), *bridge.download(single, tmp_path)]
    assert (grid.status, single.status, len(paths)) == (Status.COMPLETED, Status.COMPLETED, 6)
    assert grid.image_url
    assert grid.image_url.startswith(f"{emulated.url}/")
    assert requests.get(grid.image_url, timeout=PATIENCE).headers["content-type"] == "image/png"
    code, told = emulated.end(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in told
    assert f"GET '{grid.image_url.removeprefix(emulated.url)}' 200 OK" in told


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_curl_line_submits_in_the_dialect(provider: str, emulate: Emulate) -> None:
    emulated = emulate("--provider", provider, "--key", "sk-emulated")
    words = shlex.split(emulated.curl)
    assert words[:4] == ["curl", "-s", "-X", "POST"]
    headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
    answer = requests.post(words[4], data=words[-1], headers=headers, timeout=PATIENCE)
    assert answer.status_code == 200
    assert answer.json()["code"] in (1, 200)
    keyless = requests.post(words[4], data=words[-1], headers={"Content-Type": "application/json"}, timeout=PATIENCE)
    assert keyless.status_code in (401, 403)
    with emulated.bridge(api_key="sk-wrong") as bridge, pytest.raises(mjbridge.AuthenticationError):
        bridge.imagine("pig")


def test_faults_come_as_often_as_the_flag_says(emulate: Emulate) -> None:
    emulated = emulate("--provider", "mjproxy", "--fault", "queue-full*2", "--fault", "banned-prompt=nude")
    with emulated.bridge() as bridge:
        for _ in range(2):
            with pytest.raises(mjbridge.Unavailable):
                bridge.imagine("pig")
        with pytest.raises(mjbridge.ContentRejected, match="nude"):
            bridge.imagine("a nude pig")
        assert bridge.imagine("pig").status is Status.PENDING


def test_pictures_begin_with_the_public_url(emulate: Emulate) -> None:
    """Which is where others find it: the configuration is theirs."""
    emulated = emulate("--provider", "mjproxy", "--seconds", "0", "--public-url", "http://pictures.example/")
    assert emulated.config["accounts"]["emulated"]["base_url"] == "http://pictures.example"
    with emulated.bridge(base_url=emulated.url) as bridge:
        task = bridge.wait(bridge.imagine("pig"))
    assert task.images
    assert all(url.startswith("http://pictures.example/") for url in (task.image_url or "", *task.images))


def test_it_ends_politely_on_a_terminate_too(emulate: Emulate) -> None:
    emulated = emulate("--provider", "apimart")
    with emulated.bridge() as bridge:
        bridge.imagine("pig")
    code, told = emulated.end(signal.SIGTERM)
    assert (code, len(told.splitlines())) == (0, 1), told


def test_requests_that_wait_for_each_other_are_told_as_any_others(emulate: Emulate) -> None:
    emulated = emulate("--provider", "mjproxy", "--fault", "slow=0.1*40")

    def ask(_: int) -> int:
        return requests.get(f"{emulated.url}/mj/task/1/fetch", timeout=PATIENCE).status_code

    with ThreadPoolExecutor(40) as threads:
        assert len(list(threads.map(ask, range(40)))) == 40
    _, told = emulated.end(signal.SIGTERM)
    assert {line.split()[0] for line in told.splitlines()} == {"GET"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--provider", "comet"], "did you mean 'cometapi'?"),
        (["--provider", "apimart", "--host", "127.0.0.1", "--port", "BUSY"], "Address already in use"),
        (["--provider", "apimart", "--fault", "queue-ful"], "did you mean 'queue-full'?"),
        (["--provider", "apimart", "--fault", "http=many"], "http=many"),
        ([], "--provider"),
    ],
)
def test_misuse_is_said_before_anything_is_served(
    arguments: list[str], message: str, shell: Shell, emulate: Emulate
) -> None:
    busy = emulate("--provider", "apimart").url.rpartition(":")[2] if "BUSY" in arguments else ""
    arguments = [word.replace("BUSY", busy) for word in arguments]
    done = shell("emulate", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("queue-full", QueueFull()),
        ("queue-full*3", QueueFull(times=3)),
        ("fail-task", FailTask()),
        ("fail-task=2 * 2 = 5*2", FailTask(reason="2 * 2 = 5", times=2)),
        ("banned-prompt=pig", BannedPrompt(word="pig")),
        ("http=503", HttpFault(status=503)),
        ("slow=2.5*1000", SlowReply(seconds=2.5, times=1000)),
    ],
)
def test_a_fault_is_written_in_one_word(text: str, fault: Fault) -> None:
    assert parse(text) == fault


@pytest.mark.parametrize("text", ["", "rain", "queue-full=1", "queue-full*0", "queue-full*", "banned-prompt", "http=x"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(mjbridge.InvalidCommand):
        parse(text)
