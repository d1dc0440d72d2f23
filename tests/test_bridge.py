"""Bridge: what applications use, over scripted and emulated vendors."""

import json
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import mjbridge
from mjbridge import (
    Bridge,
    Command,
    Flow,
    HttpRequest,
    HttpResponse,
    Imagine,
    MJBridgeError,
    Press,
    Status,
    Task,
    Vary,
)
from mjbridge.account import Account
from mjbridge.config import AccountSettings
from mjbridge.emulator import Emulator, EmulatorTransport, FailTask
from mjbridge.provider import Provider
from mjbridge.testing import FakeTransport
from mjbridge.testing.stage import Clock
from mjbridge.wire import Transport
from mjbridge_mjproxy import MJProxy
from tests.processes import PATIENCE

PROVIDERS = ("apimart", "cometapi", "mjproxy", "octopusx")


class Rehearsal:
    """A bridge over one emulated account, on a clock that its sleeps move."""

    def __init__(self, provider: str, duration: float = 6.0) -> None:
        self.clock = Clock()
        self.emulators: list[Emulator] = []
        self.duration = duration
        self.bridge = Bridge(
            {"accounts": {"main": {"provider": provider, "base_url": "emulator:", "poll_interval": 1}}},
            clock=self.clock,
            sleep=self.clock.sleep,
            transport=self._transport,
        )

    def _transport(self, provider: Provider, settings: AccountSettings) -> Transport:
        assert settings.emulated
        self.emulators.append(Emulator(provider, clock=self.clock, duration=self.duration))
        return EmulatorTransport(self.emulators[-1], sleep=self.clock.sleep)


def scripted(replies: Sequence[HttpResponse | MJBridgeError], **account: Any) -> tuple[Bridge, FakeTransport, Clock]:
    """A bridge whose one account answers from a script."""
    clock, transport = Clock(), FakeTransport(replies)
    settings = {"provider": "mjproxy", "base_url": "http://mj.example", "api_key": "sk-secret", "poll_interval": 1}
    bridge = Bridge(
        {"accounts": {"main": settings | account}},
        clock=clock,
        sleep=clock.sleep,
        transport=lambda _provider, _settings: transport,
    )
    return bridge, transport, clock


def record(**fields: object) -> HttpResponse:
    return HttpResponse(200, json.dumps({"id": "1", "action": "IMAGINE", "imageUrl": ""} | fields).encode())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_story_of_a_picture(provider: str, tmp_path: Path) -> None:
    """Submit, wait, upscale, vary, reroll, press and download are the same calls at every vendor."""
    rehearsal = Rehearsal(provider)
    bridge, updates = rehearsal.bridge, list[Task]()
    grid = bridge.wait(bridge.imagine("a lighthouse", speed="fast"), on_update=updates.append)
    assert (grid.status, grid.action, grid.account, grid.speed) == (Status.COMPLETED, "imagine", "main", "fast")
    assert updates[-1] == grid
    assert [task.status for task in updates] == sorted((task.status for task in updates), key=list(Status).index)
    single = bridge.wait(bridge.upscale(grid, 2))
    again = [bridge.wait(task) for task in (bridge.vary(grid.ref, 3), bridge.reroll(grid), bridge.press(grid, "V1"))]
    assert (single.action, single.parent_id, single.image_urls) == ("upscale", grid.id, ())
    assert [task.action for task in again] == ["variation", "reroll", "variation"]
    assert bridge.fetch(single.ref).image_url == single.image_url
    assert [task.id for task in bridge.fetch_many([single, grid.ref, "main:1"])] == [single.id, grid.id]
    saved = bridge.download(grid, tmp_path)
    assert [path.name for path in saved] == [f"{grid.id}.png", *(f"{grid.id}_{number}.png" for number in range(1, 5))]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in saved)


def test_the_four_vendors_tell_the_same_story() -> None:
    """The finished tasks differ in ids, addresses and what a dialect cannot carry, and in nothing else."""
    seen: dict[str, dict[str, object]] = {}
    for provider in PROVIDERS:
        bridge = Rehearsal(provider).bridge
        task = bridge.wait(bridge.imagine("a lighthouse"))
        seen[provider] = {
            name: getattr(task, name)
            for name in Task.__struct_fields__
            if name not in ("id", "provider", "image_url", "image_urls", "preview_url", "buttons", "raw")
        }
        assert len(task.image_urls) == 4
        assert [button.label or button.emoji for button in task.buttons] == [
            "U1",
            "U2",
            "U3",
            "U4",
            "🔄",
            "V1",
            "V2",
            "V3",
            "V4",
        ]
    # APIMart documents no time of starting.
    assert seen["apimart"].pop("started_at") is None
    for provider in ("cometapi", "mjproxy", "octopusx"):
        assert seen[provider].pop("started_at") is not None
    assert seen["cometapi"] == seen["mjproxy"] == seen["octopusx"] == seen["apimart"]


def test_a_follow_up_of_a_task_with_buttons_is_one_request() -> None:
    """Who has the buttons at hand does not ask for them again; who has only the ref does."""
    button = {"customId": "MJ::JOB::variation::2::x", "label": "V2"}
    grid = record(status="SUCCESS", buttons=[button])
    accepted = HttpResponse(200, b'{"code":1,"result":"2"}')
    bridge, transport, _ = scripted([grid, accepted, grid, accepted])
    bridge.vary(bridge.fetch("main:1"), 2)
    assert [request.path for request in transport.requests] == ["/mj/task/1/fetch", "/mj/submit/action"]
    bridge.vary("main:1", 2)
    assert [request.path for request in transport.requests[2:]] == ["/mj/task/1/fetch", "/mj/submit/action"]


def test_follow_ups_by_option_are_said_by_index_even_where_buttons_are_known() -> None:
    button = {"customId": "MJ::JOB::variation::2::x", "label": "V2"}
    accepted = HttpResponse(200, b'{"code":1,"result":"2"}')
    bridge, transport, _ = scripted(
        [record(status="SUCCESS", buttons=[button]), accepted], options={"follow_ups": "change"}
    )
    bridge.vary(bridge.fetch("main:1"), 2)
    assert transport.requests[1].path == "/mj/submit/change"


def test_an_accepted_code_of_apimart_is_never_a_refusal() -> None:
    """21 waits for input; a body that names a task is no complaint, whatever its code."""
    for code in (21, 22, 500):
        body = json.dumps({"code": code, "description": "modal", "data": [{"status": "modal", "task_id": "task_1"}]})
        bridge, _, _ = scripted([HttpResponse(200, body.encode())], provider="apimart")
        assert bridge.imagine("pig").id == "task_1"


def test_an_outcome_that_the_vendor_itself_cannot_tell_is_unknown() -> None:
    body = b'{"description":"insert_midjourney_task_failed ","type":"upstream_error","code":4}'
    bridge, _, _ = scripted([HttpResponse(400, body)])
    with pytest.raises(mjbridge.SubmissionUnknown):
        bridge.imagine("pig")


def test_a_read_that_is_refused_before_a_submit_leaves_no_doubt_and_one_after_it_does() -> None:
    """Only the submit's own refusal is proof about the submit."""

    class Curious(MJProxy):
        def submit(self, command: Command) -> Flow[Task]:
            reply = yield self.request(command)
            yield HttpRequest("GET", "/mj/more")
            return self.accepted(command, reply)

    accepted, refused = HttpResponse(200, b'{"code":1,"result":"2"}'), HttpResponse(401)
    account = Account("main", Curious(), FakeTransport([accepted, refused]), "sk-secret", 1.0)
    with pytest.raises(mjbridge.SubmissionUnknown) as caught:
        account.submit(Imagine(prompt="pig"))
    assert isinstance(caught.value.__cause__, mjbridge.AuthenticationError)


def test_a_provider_that_stumbles_over_the_answer_to_a_submit_leaves_it_unknown() -> None:
    """A stranger's plugin may be wrong about its vendor: the task may exist all the same."""

    class Mistaken(MJProxy):
        def accepted(self, command: Command, reply: HttpResponse) -> Task:
            raise KeyError("taskId")

    transport = FakeTransport([HttpResponse(200, b'{"code":1,"result":"2"}')])
    account = Account("main", Mistaken(), transport, "sk-secret", 1.0)
    with pytest.raises(mjbridge.SubmissionUnknown, match="KeyError") as caught:
        account.submit(Imagine(prompt="pig"))
    assert (caught.value.account, caught.value.accepted) == ("main", "maybe")
    assert '"result":"2"' in caught.value.body
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_mistake_before_anything_left_stays_what_it_is() -> None:
    class Mistaken(MJProxy):
        def request(self, command: Command) -> HttpRequest:
            raise KeyError("taskId")

    with pytest.raises(KeyError):
        Account("main", Mistaken(), FakeTransport(), "sk-secret", 1.0).submit(Imagine(prompt="pig"))


def test_the_first_of_two_records_with_one_id_is_the_task() -> None:
    twice = HttpResponse(200, b'[{"id":"1","status":"SUCCESS"},{"id":"1","status":"MODAL"}]')
    bridge, _, _ = scripted([twice])
    (task,) = bridge.fetch_many(["main:1"])
    assert task.status is Status.COMPLETED


def test_a_vendor_s_long_text_is_cut() -> None:
    bridge, _, _ = scripted([HttpResponse(401, json.dumps({"error": {"message": "no " * 9999}}).encode())])
    with pytest.raises(mjbridge.AuthenticationError) as caught:
        bridge.fetch("main:1")
    assert len(caught.value.message) == len(caught.value.body) == 500


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_wait_without_an_end_is_refused(timeout: float) -> None:
    bridge, transport, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match="seconds is none"):
        bridge.wait("main:1", timeout)
    assert transport.requests == []


@pytest.mark.parametrize("task", [None, 5, "main:.", "main:..", "main:\ud800"])
def test_what_is_no_task_s_ref_is_refused_before_any_request(task: Any) -> None:
    bridge, transport, _ = scripted([])
    for operation in (bridge.fetch, bridge.seed, bridge.image, bridge.wait, bridge.reroll):
        with pytest.raises(mjbridge.InvalidCommand):
            operation(task)
    assert transport.requests == []


@pytest.mark.parametrize(
    "fields", [{"prompt": None}, {"prompt": b"x"}, {"prompt": "x", "extra": None}, {"prompt": "x", "state": 5}]
)
def test_a_command_of_the_wrong_types_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(mjbridge.InvalidCommand):
        Imagine(**fields)


def test_a_truth_value_is_no_number_of_a_picture() -> None:
    with pytest.raises(mjbridge.InvalidCommand):
        Vary(task_id="1", index=True)


def test_a_page_behind_the_image_proxy_is_no_picture() -> None:
    bridge, _, _ = scripted([HttpResponse(200, b"<html>")])
    with pytest.raises(mjbridge.MalformedReply, match="no PNG"):
        bridge.image("main:1")


def test_updates_come_only_with_a_change() -> None:
    bridge, _, _ = scripted([record(status="IN_PROGRESS"), record(status="IN_PROGRESS"), record(status="SUCCESS")])
    updates: list[Task] = []
    bridge.wait("main:1", on_update=updates.append)
    assert [task.status for task in updates] == [Status.PROCESSING, Status.COMPLETED]


def test_failures_in_passing_do_not_add_up() -> None:
    down, running = HttpResponse(503), record(status="IN_PROGRESS")
    bridge, _, _ = scripted([*([down] * 4), running, *([down] * 4), record(status="SUCCESS")])
    assert bridge.wait("main:1").status is Status.COMPLETED


def test_closing_a_bridge_closes_its_transports() -> None:
    closed: list[bool] = []

    class Closing(FakeTransport):
        def close(self) -> None:
            closed.append(True)

    settings = {"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj"}}}
    with Bridge(settings, transport=lambda _provider, _settings: Closing()) as bridge:
        bridge.account("main")
    assert closed == [True]


def test_threads_share_one_account() -> None:
    opened: list[FakeTransport] = []

    def open_slowly(_provider: Provider, _settings: AccountSettings) -> Transport:
        time.sleep(0.02)
        opened.append(FakeTransport())
        return opened[-1]

    bridge = Bridge({"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj"}}}, transport=open_slowly)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(bridge.account, "main") for _ in range(8)]:
            done.result()
    assert len(opened) == 1


def test_an_account_whose_key_is_long_in_coming_keeps_no_other_waiting() -> None:
    """A keyring may ask its owner for a password, who is at lunch."""
    answered, asked = threading.Event(), threading.Event()

    def open_slowly(_provider: Provider, settings: AccountSettings) -> Transport:
        if settings.base_url == "http://slow":
            asked.set()
            assert answered.wait(PATIENCE)
        return FakeTransport()

    accounts = {name: {"provider": "mjproxy", "base_url": f"http://{name}"} for name in ("slow", "quick", "known")}
    bridge = Bridge({"accounts": accounts}, transport=open_slowly)
    bridge.account("known")
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(bridge.account, "slow")
        assert asked.wait(PATIENCE)
        try:
            for name in ("known", "quick"):
                assert pool.submit(bridge.account, name).result(PATIENCE).name == name
        finally:
            answered.set()
        assert slow.result(PATIENCE) is bridge.account("slow")


def test_a_file_s_name_is_the_task_s_own_on_every_disk(tmp_path: Path) -> None:
    """Ids that differ by case, hold what no path may, or are a device's name come out apart."""
    transport = FakeTransport(pictures={"u": b"RIFF\x00\x0a\x00\x0dWEBP"})
    bridge = Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj"}}},
        transport=lambda _provider, _settings: transport,
    )
    names: list[str] = []
    for task_id in ("1730621718151844", "aBc", "ABC", "a/b", "a.b", "CON", "x" * 300):
        task = Task(id=task_id, account="main", status=Status.COMPLETED, image_url="u")
        (saved,) = bridge.download(task, tmp_path)
        names.append(saved.name)
    assert names[0] == "1730621718151844.webp"
    assert len({name.lower() for name in names}) == len(names)
    assert all(len(name) < 100 and "CON.webp" not in name for name in names)


def test_a_disk_that_refuses_leaves_no_partial_file(tmp_path: Path) -> None:
    (tmp_path / "1.png").mkdir()
    transport = FakeTransport(pictures={"u": b"\x89PNG\r\n\x1a\n"})
    bridge = Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj"}}},
        transport=lambda _provider, _settings: transport,
    )
    with pytest.raises(mjbridge.InvalidCommand, match="cannot be saved there"):
        bridge.download(Task(id="1", account="main", status=Status.COMPLETED, image_url="u"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1.png"]


def test_waiting_stops_at_needs_input() -> None:
    bridge, transport, _ = scripted([record(status="MODAL")])
    assert bridge.wait("main:1").status is Status.NEEDS_INPUT
    assert len(transport.requests) == 1


def test_waiting_on_a_done_task_asks_nobody() -> None:
    bridge, transport, _ = scripted([])
    done = Task(id="1", account="main", status=Status.FAILED)
    assert bridge.wait(done) is done
    assert transport.requests == []


def test_waiting_keeps_what_the_vendor_no_longer_says() -> None:
    bridge, _, _ = scripted([HttpResponse(200, b'{"code":1,"result":"1"}'), record(status="SUCCESS")])
    task = bridge.wait(bridge.imagine("pig", state="order 17"))
    assert (task.prompt, task.state, task.status) == ("pig", "order 17", Status.COMPLETED)


def test_a_wait_that_runs_out_carries_the_last_task_and_can_go_on() -> None:
    bridge, transport, clock = scripted([record(status="IN_PROGRESS", progress=f"{n}%") for n in range(20)])
    began = clock.now
    with pytest.raises(mjbridge.WaitTimeout) as caught:
        bridge.wait("main:1", timeout=5)
    assert caught.value.task is not None
    assert caught.value.task.progress == len(transport.requests) - 1
    assert clock.now - began <= 5
    assert "main:1" in str(caught.value)


def test_a_poll_that_fails_in_passing_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    down = HttpResponse(503, b"", {"retry-after": "7"})
    bridge, _, clock = scripted([down, HttpResponse(200, b"<html>"), record(status="SUCCESS")])
    began = clock.now
    with caplog.at_level(logging.WARNING, logger="mjbridge"):
        assert bridge.wait("main:1").status is Status.COMPLETED
    assert clock.now - began == 8
    assert len(caplog.records) == 2
    assert "sk-secret" not in caplog.text


def test_a_vendor_that_stays_down_ends_the_wait() -> None:
    bridge, transport, _ = scripted([HttpResponse(503) for _ in range(9)])
    with pytest.raises(mjbridge.Unavailable):
        bridge.wait("main:1")
    assert len(transport.requests) == 5


def test_an_error_that_no_retry_mends_ends_the_wait_at_once() -> None:
    bridge, transport, _ = scripted([HttpResponse(401)])
    with pytest.raises(mjbridge.AuthenticationError):
        bridge.wait("main:1")
    assert len(transport.requests) == 1


def test_run_raises_for_a_failed_task_and_carries_it() -> None:
    rehearsal = Rehearsal("apimart")
    rehearsal.bridge.account("main")
    rehearsal.emulators[0].faults.add(FailTask(reason="the moon was in the way"))
    with pytest.raises(mjbridge.TaskFailed, match="the moon was in the way") as caught:
        rehearsal.bridge.run(Imagine(prompt="a lighthouse"))
    assert caught.value.task is not None
    assert caught.value.task.status is Status.FAILED
    assert rehearsal.bridge.run(Imagine(prompt="a lighthouse")).status is Status.COMPLETED


@pytest.mark.parametrize(
    "trouble",
    [[HttpResponse(401)], [mjbridge.Unavailable("no connection")] * 5, [HttpResponse(200, b"<html>")] * 5],
    ids=["refused", "no connection", "a page"],
)
def test_a_run_that_can_no_longer_ask_for_its_task_never_looks_like_a_refused_submit(
    trouble: Sequence[HttpResponse | MJBridgeError],
) -> None:
    """The task is paid for: who takes `Unavailable` for a submit that nobody took would pay again."""
    bridge, _, _ = scripted([HttpResponse(200, b'{"code":1,"result":"7"}'), *trouble])
    with pytest.raises(mjbridge.WaitTimeout, match="task main:7 was accepted") as caught:
        bridge.run(Imagine(prompt="pig"))
    assert caught.value.task is not None
    assert (caught.value.task.ref, caught.value.account) == ("main:7", "main")
    assert isinstance(caught.value.__cause__, MJBridgeError)


@pytest.mark.parametrize("ref", ["", "main", "main:", ":1"])
def test_what_is_no_ref_says_how_to_write_one(ref: str) -> None:
    bridge, _, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match="account:id"):
        bridge.fetch(ref)


def test_a_task_from_storage_has_no_account_to_go_to() -> None:
    bridge, _, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match="account:id"):
        bridge.upscale(mjbridge.normalize({"id": "1", "imageUrl": "g"}), 1)


def test_an_id_may_hold_colons() -> None:
    bridge, transport, _ = scripted([record(status="SUCCESS")])
    bridge.fetch("main:a:b")
    assert transport.requests[0].path == "/mj/task/a%3Ab/fetch"


@pytest.mark.parametrize("index", [0, 5, -1])
def test_a_number_outside_the_grid_asks_nobody(index: int) -> None:
    bridge, transport, _ = scripted([])
    for follow_up in (bridge.upscale, bridge.vary):
        with pytest.raises(mjbridge.InvalidCommand, match="numbered 1 to 4"):
            follow_up("main:1", index)
    assert transport.requests == []


def test_an_empty_prompt_and_unknown_words_are_refused_before_any_request() -> None:
    bridge, transport, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match="prompt is empty"):
        bridge.imagine("  ")
    with pytest.raises(mjbridge.InvalidCommand, match="speed is 'warp'; it must be one of relax, fast, turbo"):
        bridge.imagine("pig", speed="warp")
    with pytest.raises(mjbridge.InvalidCommand, match="bot is 'hal'"):
        bridge.imagine("pig", bot="hal")
    with pytest.raises(mjbridge.InvalidCommand, match="custom_id is empty"):
        Press(task_id="1", custom_id="")
    with pytest.raises(mjbridge.InvalidCommand, match="task_id is empty"):
        Vary(task_id="", index=1)
    assert transport.requests == []


def test_a_button_that_is_not_there_lists_those_that_are() -> None:
    bridge, _, _ = scripted(
        [record(status="SUCCESS", buttons=[{"customId": "MJ::JOB::upsample::1::x", "label": "U1"}])]
    )
    with pytest.raises(mjbridge.InvalidCommand, match="no button 'V1'; its buttons: U1"):
        bridge.press("main:1", "V1")


def test_a_key_that_the_vendor_echoes_is_hidden() -> None:
    bridge, _, _ = scripted([HttpResponse(401, b'{"error":{"message":"bad key sk-secret","type":"new_api_error"}}')])
    with pytest.raises(mjbridge.AuthenticationError) as caught:
        bridge.fetch("main:1")
    assert "sk-secret" not in f"{caught.value} {caught.value!r} {caught.value.body} {caught.value.args}"
    assert "[key]" in caught.value.body


def test_an_error_says_where_it_happened() -> None:
    bridge, _, _ = scripted([HttpResponse(400, b'{"code":4,"description":"task_no_found "}')])
    with pytest.raises(mjbridge.TaskNotFound) as caught:
        bridge.fetch("main:1")
    error = caught.value
    assert (error.account, error.provider, error.operation, error.vendor_code) == ("main", "mjproxy", "fetch", "4")
    assert str(error).startswith("main (mjproxy) fetch: task_no_found")


def test_a_route_s_first_account_takes_the_task_and_an_account_may_be_named() -> None:
    transports = {name: FakeTransport([HttpResponse(200, b'{"code":1,"result":"1"}')]) for name in ("one", "two")}
    accounts = {name: {"provider": "mjproxy", "base_url": f"http://{name}"} for name in transports}
    bridge = Bridge(
        {"accounts": accounts, "routes": {"default": ["two", "one"]}},
        transport=lambda _provider, settings: transports[(settings.base_url or "").removeprefix("http://")],
    )
    assert bridge.imagine("pig").account == "two"
    assert bridge.imagine("pig", route="one").account == "one"


def test_a_download_needs_a_finished_picture(tmp_path: Path) -> None:
    bridge, _, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match="no finished picture"):
        bridge.download(Task(id="1", account="main", status=Status.PROCESSING, preview_url="p"), tmp_path)


def test_a_hostile_id_names_no_path_and_a_page_is_no_picture(tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n..."
    transport = FakeTransport(pictures={"https://cdn/ok": png, "https://cdn/html": b"<html>"})
    bridge = Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj"}}},
        transport=lambda _provider, _settings: transport,
    )
    hostile = Task(id="../../etc/x", account="main", status=Status.COMPLETED, image_url="https://cdn/ok")
    (saved,) = bridge.download(hostile, tmp_path / "out")
    assert saved.parent == tmp_path / "out"
    assert saved.read_bytes() == png
    page = Task(id="1", account="main", status=Status.COMPLETED, image_url="https://cdn/html")
    with pytest.raises(mjbridge.MalformedReply, match="no PNG, JPEG, WebP or GIF"):
        bridge.download(page, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [saved.name]
