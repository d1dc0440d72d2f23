"""The emulator: the same over HTTP as in process."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mjbridge import (
    Bridge,
    HttpRequest,
    Imagine,
    InvalidCommand,
    MJBridgeError,
    Provider,
    Status,
    Task,
    TaskNotFound,
    WaitTimeout,
    plugins,
)
from mjbridge.config import AccountSettings
from mjbridge.emulator import Emulator, EmulatorTransport, HttpFault, application
from mjbridge.wire import Transport
from tests.servers import answering, reply

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tests.exchanges import (
    HTML,
    KEY,
    REF,
    REFUSAL,
    OpenBridge,
    StartApplication,
    StartServer,
    failure,
    submit_reply,
    task_reply,
)

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
