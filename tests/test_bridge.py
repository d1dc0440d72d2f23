"""Bridge: what applications use, over scripted and emulated vendors."""

import json
import threading
import time
import traceback
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
    Press,
    Status,
    Task,
    Vary,
)
from mjbridge.account import Account
from mjbridge.config import AccountSettings
from mjbridge.provider import Provider
from mjbridge.testing import FakeTransport
from mjbridge.wire import Transport
from mjbridge_mjproxy import MJProxy
from tests.exchanges import PROVIDERS
from tests.processes import PATIENCE
from tests.rehearsals import Rehearsal, record, scripted


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


def test_a_video_of_cometapis_list_is_read_by_itself_once_and_only_where_it_was_asked_for() -> None:
    listed = [{"id": str(number % 40), "status": "SUCCESS", "action": "VIDEO"} for number in range(80)]
    alone = {**listed[7], "videoUrl": "https://cdn.example/7.mp4"}
    bridge, transport, _ = scripted(
        [HttpResponse(200, json.dumps(answer).encode()) for answer in (listed, alone)], provider="cometapi"
    )
    (task,) = bridge.fetch_many(["main:7"])
    assert task.video_urls == ("https://cdn.example/7.mp4",)
    assert [request.path for request in transport.requests] == ["/mj/task/list-by-condition", "/mj/task/7/fetch"]


@pytest.mark.parametrize(
    "trouble",
    [
        HttpResponse(400, b'{"code": 4, "description": "task_no_found ", "type": "upstream_error"}'),
        HttpResponse(500, b'{"error": {"message": "words of its own", "type": "new_api_error"}}'),
        HttpResponse(200, b"<html>"),
        HttpResponse(200, b"[]"),
        mjbridge.Unavailable("reset", accepted="maybe"),
    ],
    ids=["unknown there", "500", "HTML", "no record", "reset"],
)
def test_a_video_that_cannot_be_read_by_itself_keeps_no_other_back_and_is_asked_for_again(
    trouble: HttpResponse | mjbridge.MJBridgeError, caplog: pytest.LogCaptureFixture
) -> None:
    video = {"id": "1", "status": "SUCCESS", "action": "VIDEO"}
    other = {"id": "2", "status": "SUCCESS", "action": "IMAGINE"}
    listed = HttpResponse(200, json.dumps([video, other]).encode())
    alone = HttpResponse(200, json.dumps({**video, "videoUrl": "https://cdn.example/1.mp4"}).encode())
    bridge, transport, _ = scripted([listed, trouble, listed, trouble, listed, alone], provider="cometapi")
    seen = [(task.id, task.status) for task in bridge.fetch_many(["main:1", "main:2"])]
    assert seen == [("1", "processing"), ("2", "completed")]
    found = [each for each in bridge.wait_many(["main:1", "main:2"]) if isinstance(each, Task)]
    assert [(task.id, task.status) for task in found] == [("2", "completed"), ("1", "completed")]
    assert found[1].video_urls == ("https://cdn.example/1.mp4",)
    assert len(transport.requests) == 6
    assert "the clip of video 1 could not be read" in caplog.text
    assert "words of its own" not in caplog.text, "they may echo the key"


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


def test_a_finished_task_that_is_fetched_again_is_what_the_vendor_says_now() -> None:
    bridge, _, _ = scripted([record(status="FAILURE")])
    found = bridge.fetch(Task(id="1", account="main", status=Status.COMPLETED, image_url="https://cdn.example/1.png"))
    assert (found.status, found.image_url) == (Status.FAILED, None)


def test_a_mistake_before_anything_left_is_the_plugins() -> None:
    """It says where it was made, and nothing is in doubt."""

    class Mistaken(MJProxy):
        def request(self, command: Command) -> HttpRequest:
            raise KeyError("taskId")

    account = Account("main", Mistaken(), FakeTransport(), "sk-secret", 1.0)
    for ask in (account.submit, account.check):
        with pytest.raises(mjbridge.PluginError, match=r"KeyError\('taskId'\) at .*test_bridge.py:\d+") as caught:
            ask(Imagine(prompt="pig"))
        assert (caught.value.account, caught.value.provider, caught.value.accepted) == ("main", "mjproxy", "no")
        assert isinstance(caught.value.__cause__, KeyError)


def test_a_mistake_that_quotes_the_key_shows_it_nowhere() -> None:
    class Mistaken(MJProxy):
        def authorize(self, request: HttpRequest, key: str) -> HttpRequest:
            raise ValueError(f"no good: {key}")

    account = Account("main", Mistaken(), FakeTransport(), "sk-secret", 1.0)
    with pytest.raises(mjbridge.PluginError, match=r"no good: \[key\]") as caught:
        account.submit(Imagine(prompt="pig"))
    assert "sk-secret" not in "".join(traceback.format_exception(caught.value))


def test_a_flow_that_gives_no_task_is_a_mistake() -> None:
    """After a submit left, the task may be there all the same."""

    class Mistaken(MJProxy):
        def accepted(self, command: Command, reply: HttpResponse) -> Any:
            return {"id": "1"}

        def fetch(self, task_id: str) -> Any:
            return Task(id=task_id)

        def fetch_many(self, task_ids: Sequence[str]) -> Flow[Any]:
            yield HttpRequest("GET", "/mj/tasks")
            return ["1"]

    account = Account("main", Mistaken(), FakeTransport([HttpResponse(200, b"{}")] * 2), "sk-secret", 1.0)
    with pytest.raises(mjbridge.SubmissionUnknown, match="a flow gave dict where Task belongs"):
        account.submit(Imagine(prompt="pig"))
    with pytest.raises(mjbridge.PluginError, match="Task"):
        account.fetch("1")
    with pytest.raises(mjbridge.PluginError, match="a flow gave str where Task belongs"):
        account.fetch_many(["1"])


def test_a_mistake_at_the_answer_to_a_read_is_the_plugins() -> None:
    """Nothing was bought, so nothing is in doubt."""

    class Mistaken(MJProxy):
        def seed(self, task_id: str) -> Flow[str]:
            raise KeyError((yield HttpRequest("GET", "/mj/seed")).status)

    with pytest.raises(mjbridge.PluginError, match="KeyError"):
        Account("main", Mistaken(), FakeTransport([HttpResponse(200, b"{}")]), "sk-secret", 1.0).seed("1")


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


def test_a_route_that_does_not_exist_is_said_with_the_nearest_route_or_account() -> None:
    account = {"provider": "mjproxy", "base_url": "emulator:"}
    bridge = Bridge({"accounts": {"main": account, "spare": account}, "routes": {"night": ["spare", "main"]}})
    for written, meant in (("nihgt", "night"), ("mian", "main")):
        with pytest.raises(mjbridge.ConfigError, match=f"unknown route or account '{written}'.*'{meant}'"):
            bridge.imagine("pig", route=written)


def test_a_route_s_first_account_takes_the_task_and_an_account_may_be_named() -> None:
    transports = {name: FakeTransport([HttpResponse(200, b'{"code":1,"result":"1"}')]) for name in ("one", "two")}
    accounts = {name: {"provider": "mjproxy", "base_url": f"http://{name}"} for name in transports}
    bridge = Bridge(
        {"accounts": accounts, "routes": {"default": ["two", "one"]}},
        transport=lambda _provider, settings: transports[(settings.base_url or "").removeprefix("http://")],
    )
    assert bridge.imagine("pig").account == "two"
    assert bridge.imagine("pig", route="one").account == "one"
