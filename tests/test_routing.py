"""Fallback: which account takes a command, which are passed over and why, and what is never sent twice."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pytest

import mjbridge
from mjbridge import Bridge, Cancel, HttpRequest, HttpResponse, Imagine, MJBridgeError, Press, Status, Task, config
from mjbridge.config import AccountSettings
from mjbridge.provider import Provider
from mjbridge.testing import FakeTransport
from mjbridge.testing.stage import Clock
from mjbridge.wire import Transport

Reply = HttpResponse | MJBridgeError

DOWN: Final = HttpResponse(503)
BUSY: Final = HttpResponse(429, b"", {"retry-after": "90"})
NO_KEY: Final = HttpResponse(401)
NO_MONEY: Final = HttpResponse(402)
BANNED: Final = HttpResponse(200, b'{"code": 24, "description": "banned word", "result": null}')
WRONG: Final = HttpResponse(400, b'{"code": 4, "description": "prompt_is_required", "type": "upstream_error"}')
PAGE: Final = HttpResponse(502, b"<html>bad gateway</html>")
NO_CONNECTION: Final = mjbridge.Unavailable("no connection", accepted="no")
REROLL: Final = Press(task_id="1", custom_id="MJ::JOB::reroll::0::x::SOLO")
LOST: Final = mjbridge.Unavailable("the connection broke", accepted="maybe")


def accepted(task_id: str = "1") -> HttpResponse:
    return HttpResponse(200, json.dumps({"code": 1, "description": "Submit success", "result": task_id}).encode())


def record(status: str, **fields: object) -> HttpResponse:
    return HttpResponse(200, json.dumps({"id": "1", "action": "IMAGINE", "status": status} | fields).encode())


class Vendors:
    """A bridge over scripted accounts, in the order of its one route, on a clock that its sleeps move."""

    def __init__(self, scripts: Mapping[str, Sequence[Reply]], accounts: Mapping[str, Any] = {}, **route: Any) -> None:
        self.clock = Clock()
        self.transports = {name: FakeTransport(script) for name, script in scripts.items()}
        settings = {name: {"provider": "mjproxy", "base_url": f"http://{name}", **accounts} for name in scripts}
        self.bridge = Bridge(
            {"accounts": settings, "routes": {"default": {"accounts": list(scripts), **route}}},
            clock=self.clock,
            sleep=self.clock.sleep,
            transport=self._transport,
        )

    def _transport(self, _provider: Provider, settings: AccountSettings) -> Transport:
        return self.transports[(settings.base_url or "").removeprefix("http://")]

    def asked(self) -> dict[str, int]:
        """How many requests each account saw."""
        return {name: len(transport.requests) for name, transport in self.transports.items()}

    def fails(self, **arguments: Any) -> MJBridgeError:
        """The error of one submit."""
        with pytest.raises(MJBridgeError) as caught:
            self.bridge.submit(Imagine(prompt="pig"), **arguments)
        return caught.value


def trail(told: Task | MJBridgeError) -> list[tuple[str, str]]:
    return [(attempt.account, attempt.category) for attempt in told.attempts]


@pytest.mark.parametrize(
    ("refusal", "category"),
    [
        (DOWN, "Unavailable"),
        (NO_CONNECTION, "Unavailable"),
        (BUSY, "RateLimited"),
        (NO_MONEY, "QuotaExceeded"),
        (NO_KEY, "AuthenticationError"),
    ],
)
def test_a_refusal_of_the_account_sends_the_command_to_the_next(refusal: Reply, category: str) -> None:
    vendors = Vendors({"one": [refusal], "two": [accepted()]})
    task = vendors.bridge.imagine("pig")
    assert (task.ref, trail(task)) == ("two:1", [("one", category)])
    assert task.attempts[0].provider == "mjproxy"
    assert vendors.asked() == {"one": 1, "two": 1}


@pytest.mark.parametrize(
    ("answer", "category"),
    [
        (BANNED, mjbridge.ContentRejected),
        (WRONG, mjbridge.InvalidCommand),
        (PAGE, mjbridge.SubmissionUnknown),
        (LOST, mjbridge.SubmissionUnknown),
        (HttpResponse(200, b"null"), mjbridge.SubmissionUnknown),
    ],
)
def test_what_another_account_cannot_mend_or_may_be_accepted_stops(answer: Reply, category: type[Exception]) -> None:
    vendors = Vendors({"zero": [DOWN], "one": [answer], "two": []})
    error = vendors.fails()
    assert type(error) is category
    assert trail(error) == [("zero", "Unavailable"), ("one", category.__name__)]
    assert vendors.asked() == {"zero": 1, "one": 1, "two": 0}


def test_when_no_account_takes_it_the_error_tells_of_each_and_of_the_earliest_return() -> None:
    vendors = Vendors({"one": [BUSY], "two": [DOWN], "three": [NO_KEY]}, cool_down=40)
    error = vendors.fails()
    assert isinstance(error, mjbridge.AllAccountsFailed)
    assert trail(error) == [("one", "RateLimited"), ("two", "Unavailable"), ("three", "AuthenticationError")]
    assert (error.retry_after, error.accepted) == (40, "no")
    assert all(name in str(error) for name in ("one: RateLimited", "two: Unavailable", "three: AuthenticationError"))


def test_an_account_that_is_named_is_asked_itself_and_answers_for_itself() -> None:
    """Naming an account chooses it: no fallback, and no cool-down keeps the caller from it."""
    vendors = Vendors({"one": [DOWN, DOWN, accepted()], "two": [accepted()]})
    vendors.bridge.imagine("pig")
    assert type(vendors.fails(route="one")) is mjbridge.Unavailable
    assert vendors.bridge.imagine("pig", route="one").account == "one"


def test_a_follow_up_goes_to_no_other_account() -> None:
    vendors = Vendors({"one": [DOWN], "two": []})
    with pytest.raises(mjbridge.Unavailable):
        vendors.bridge.submit(REROLL, "one")
    assert vendors.asked() == {"one": 1, "two": 0}


@pytest.mark.parametrize("submit", [Bridge.submit, Bridge.run])
def test_a_follow_up_is_never_sent_to_an_account_that_was_only_guessed(submit: Callable[..., Task]) -> None:
    """Two accounts may have tasks of one id, and a press is paid for."""
    vendors = Vendors({"one": [], "two": [accepted("7"), record("SUCCESS", id="7")]})
    with pytest.raises(mjbridge.InvalidCommand, match="name the account that has the task, as in route='one'"):
        submit(vendors.bridge, REROLL)
    assert vendors.asked() == {"one": 0, "two": 0}
    assert submit(vendors.bridge, REROLL, "two").ref == "two:7"


def test_a_route_of_one_account_is_no_guess() -> None:
    assert Vendors({"one": [accepted("7")]}).bridge.submit(REROLL).ref == "one:7"


class Juggle(mjbridge.Command, frozen=True):
    """A command that no vendor has."""


def test_an_account_that_cannot_do_the_command_is_passed_without_a_request() -> None:
    vendors = Vendors({"one": [], "two": []})
    with pytest.raises(mjbridge.AllAccountsFailed) as caught:
        vendors.bridge.submit(Juggle())
    assert trail(caught.value) == [("one", "Unsupported"), ("two", "Unsupported")]
    assert caught.value.retry_after is None
    assert vendors.asked() == {"one": 0, "two": 0}


def test_a_field_that_one_dialect_cannot_say_goes_to_one_that_can() -> None:
    accounts = {
        "one": {"provider": "apimart", "base_url": "emulator:"},
        "two": {"provider": "mjproxy", "base_url": "emulator:"},
    }
    bridge = Bridge({"accounts": accounts, "routes": {"default": ["one", "two"]}})
    task = bridge.imagine("pig", state="order 17")
    assert (task.account, trail(task)) == ("two", [("one", "Unsupported")])
    assert bridge.imagine("pig").account == "one"


def test_an_account_that_cannot_be_opened_is_told_of_at_once() -> None:
    """A mistake in the configuration is to be mended, and hiding it behind the next account would cost money later."""
    accounts = {"one": {"provider": "cometapi"}, "two": {"provider": "mjproxy", "base_url": "emulator:"}}
    written: dict[str, Any] = {"accounts": accounts, "routes": {"default": ["one", "two"]}}
    with pytest.raises(mjbridge.ConfigError, match="api_key"):
        Bridge(written).imagine("pig")
    written["routes"]["default"] = {"accounts": ["one", "two"], "fall_back_on": ["ConfigError"]}
    assert trail(Bridge(written).imagine("pig")) == [("one", "ConfigError")]


# The list.


def test_a_route_narrows_the_list() -> None:
    vendors = Vendors({"one": [NO_MONEY, NO_MONEY], "two": []}, fall_back_on=["Unavailable"])
    for _ in range(2):
        assert type(vendors.fails()) is mjbridge.QuotaExceeded
    assert vendors.asked() == {"one": 2, "two": 0}


def test_a_route_widens_the_list_by_a_refusal() -> None:
    vendors = Vendors({"one": [BANNED], "two": [accepted()]}, fall_back_on=["ContentRejected"])
    assert trail(vendors.bridge.imagine("pig")) == [("one", "ContentRejected")]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("SubmissionUnknown", "SubmissionUnknown proves no refusal"),
        ("MalformedReply", "MalformedReply proves no refusal"),
        ("RateLimit", "did you mean 'RateLimited'?"),
        ("Everything", "known: Unavailable"),
    ],
)
def test_a_route_cannot_fall_back_on_everything(word: str, told: str) -> None:
    written = {
        "accounts": {"one": {"provider": "mjproxy", "base_url": "emulator:"}},
        "routes": {"default": {"accounts": ["one"], "fall_back_on": [word]}},
    }
    with pytest.raises(mjbridge.ConfigError) as caught:
        config.load(written)
    assert told in str(caught.value)
    assert "[routes.default]" in str(caught.value)


# Cool-down.


def test_a_failed_account_is_passed_over_until_it_has_cooled_down() -> None:
    vendors = Vendors({"one": [DOWN, accepted()], "two": [accepted(), accepted()]}, cool_down=30)
    assert [vendors.bridge.imagine("pig").account for _ in range(2)] == ["two", "two"]
    assert vendors.asked() == {"one": 1, "two": 2}
    vendors.clock.sleep(30)
    assert vendors.bridge.imagine("pig").account == "one"


def test_an_account_that_cools_down_says_why_and_for_how_long() -> None:
    vendors = Vendors({"one": [BUSY], "two": [accepted(), accepted()]})
    vendors.bridge.imagine("pig")
    (attempt,) = vendors.bridge.imagine("pig").attempts
    assert attempt.category == "RateLimited"
    assert attempt.message.startswith("not asked, for it cools down for 90.0 s more: ")


def test_who_finds_every_account_resting_is_told_of_the_route_that_waits() -> None:
    resting = Vendors({"one": [DOWN]}, cool_down=30)
    assert "`wait = true`" in resting.fails().message
    assert "`wait = true`" in resting.fails().message
    assert "`wait = true`" not in Vendors({"one": [DOWN]}, cool_down=30, wait=True).fails(timeout=1).message
    assert "`wait = true`" not in Vendors({"one": [DOWN]}, cool_down=0).fails().message


def test_an_unknown_outcome_sends_the_next_command_elsewhere() -> None:
    vendors = Vendors({"one": [LOST], "two": [accepted()]})
    assert type(vendors.fails()) is mjbridge.SubmissionUnknown
    assert trail(vendors.bridge.imagine("pig")) == [("one", "SubmissionUnknown")]
    assert vendors.asked() == {"one": 1, "two": 1}


def test_what_the_time_out_of_a_call_ended_cools_no_account_down() -> None:
    """A caller in a hurry proves nothing against the vendor."""
    vendors = Vendors({"one": [], "two": []})

    def hang(request: HttpRequest) -> HttpResponse:
        vendors.clock.sleep(request.timeout or 0)
        raise LOST

    vendors.transports["one"].send = hang  # type: ignore[method-assign]  # a vendor that answers no more
    assert type(vendors.fails(timeout=5)) is mjbridge.SubmissionUnknown
    assert vendors.bridge.account("one").limits.cool_down.left == 0


def test_the_cool_down_doubles_with_each_failure_in_a_row_up_to_ten_minutes_and_a_success_resets_it() -> None:
    vendors = Vendors({"one": [*([DOWN] * 9), accepted(), DOWN]}, cool_down=30)
    rests: list[float | None] = []
    for _ in range(9):
        rests.append(vendors.fails().retry_after)
        vendors.clock.sleep(rests[-1] or 0)
    assert rests == [30, 60, 120, 240, 480, 600, 600, 600, 600]
    vendors.bridge.imagine("pig")
    assert vendors.fails().retry_after == 30


def test_a_vendor_s_retry_after_wins_where_it_is_later_and_is_believed_for_an_hour() -> None:
    for said, rest in (("10", 30), ("90", 90), ("86400", 3600)):
        vendors = Vendors({"one": [HttpResponse(429, b"", {"retry-after": said})]}, cool_down=30)
        assert vendors.fails().retry_after == rest


def test_what_let_an_account_cool_down_keeps_nothing_of_its_caller_alive() -> None:
    """An error holds the frames that it passed, and with them pictures of many megabytes."""
    vendors = Vendors({"one": [DOWN]})
    vendors.fails()
    cool_down = vendors.bridge.account("one").limits.cool_down
    assert cool_down.left
    assert not any(isinstance(held, BaseException) for held in vars(cool_down).values())


def test_the_later_end_wins() -> None:
    account = Vendors({"one": []}).bridge.account("one")
    cool_down = account.limits.cool_down
    cool_down.begin(mjbridge.RateLimited("slow", retry_after=100), 30)
    cool_down.begin(mjbridge.Unavailable("down"), 30)
    assert cool_down.left == 100


def test_cool_downs_belong_to_the_account_and_so_to_every_route() -> None:
    transports = {"one": FakeTransport([DOWN]), "two": FakeTransport([accepted(), accepted()])}
    bridge = Bridge(
        {
            "accounts": {name: {"provider": "mjproxy", "base_url": f"http://{name}"} for name in transports},
            "routes": {"day": ["one", "two"], "night": ["one", "two"]},
        },
        transport=lambda _provider, settings: transports[(settings.base_url or "").removeprefix("http://")],
    )
    assert [bridge.imagine("pig", route=route).account for route in ("day", "night")] == ["two", "two"]
    assert len(transports["one"].requests) == 1


def test_a_route_that_waits_sleeps_until_the_first_account_is_back() -> None:
    vendors = Vendors({"one": [BUSY], "two": [DOWN, accepted()]}, cool_down=30, wait=True)
    began = vendors.clock.now
    task = vendors.bridge.imagine("pig")
    assert (task.account, vendors.clock.now - began) == ("two", 30)
    assert trail(task) == [("one", "RateLimited"), ("two", "Unavailable")]


def test_a_route_waits_for_no_account_that_cannot_do_the_command() -> None:
    vendors = Vendors({"one": [accepted()]}, {"max_in_flight": 1}, wait=True)
    vendors.bridge.imagine("pig")
    began = vendors.clock.now
    with pytest.raises(mjbridge.AllAccountsFailed) as caught:
        vendors.bridge.submit(Juggle())
    assert (trail(caught.value), vendors.clock.now) == ([("one", "Unsupported")], began)


def test_an_account_that_refused_the_command_itself_is_not_asked_again_while_the_route_waits() -> None:
    listed = ["ContentRejected", "Unavailable"]
    vendors = Vendors({"one": [BANNED], "two": [DOWN, accepted()]}, fall_back_on=listed, cool_down=30, wait=True)
    assert trail(vendors.bridge.imagine("pig")) == [("one", "ContentRejected"), ("two", "Unavailable")]
    assert vendors.asked() == {"one": 1, "two": 2}


def test_a_route_waits_no_longer_than_the_call_may_take() -> None:
    vendors = Vendors({"one": [BUSY], "two": [DOWN]}, cool_down=30, wait=True)
    began = vendors.clock.now
    error = vendors.fails(timeout=20)
    assert isinstance(error, mjbridge.AllAccountsFailed)
    assert (error.retry_after, vendors.clock.now) == (30, began)


def test_a_route_that_waits_without_a_cool_down_does_not_hammer_the_vendor() -> None:
    vendors = Vendors({"one": [DOWN] * 30}, cool_down=0, wait=True)
    vendors.fails(timeout=10)
    assert vendors.asked()["one"] <= 21


# A task that failed.


def run(vendors: Vendors) -> Task:
    return vendors.bridge.run(Imagine(prompt="pig"))


FAILED: Final = record("FAILURE", failReason="[Internal Server Error] upstream is gone")


def test_a_task_that_its_vendor_failed_is_submitted_to_the_next_account_where_the_route_says_so() -> None:
    vendors = Vendors(
        {"one": [DOWN], "two": [accepted(), FAILED], "three": [accepted(), record("SUCCESS")]}, on_task_failed="next"
    )
    task = run(vendors)
    assert (task.account, task.status) == ("three", Status.COMPLETED)
    assert trail(task) == [("one", "Unavailable"), ("two", "TaskFailed")]
    assert "two:1 failed: [Internal Server Error]" in task.attempts[1].message


def test_a_failed_task_stops_unless_the_route_says_otherwise() -> None:
    vendors = Vendors({"one": [accepted(), FAILED], "two": []})
    with pytest.raises(mjbridge.TaskFailed) as caught:
        run(vendors)
    assert caught.value.task is not None
    assert caught.value.task.account == "one"


@pytest.mark.parametrize(
    "reason",
    [
        "Banned prompt detected",
        "[Invalid parameter] Unrecognized parameter(s): `--ax`",
        "可能包含敏感词",
        "AI moderators",
    ],
)
def test_a_task_that_failed_for_its_content_stops(reason: str) -> None:
    vendors = Vendors(
        {"one": [accepted(), record("FAILURE", failReason=reason)], "two": []}, on_task_failed="next", max_submissions=9
    )
    with pytest.raises(mjbridge.TaskFailed):
        run(vendors)


def test_a_cancel_that_was_run_gives_the_cancelled_task() -> None:
    vendors = Vendors({"one": [HttpResponse(200), record("CANCEL")]})
    assert vendors.bridge.run(Cancel(task_id="1")).status is Status.CANCELLED


def test_a_task_that_somebody_cancelled_stops() -> None:
    vendors = Vendors({"one": [accepted(), record("CANCEL")], "two": []}, on_task_failed="next")
    with pytest.raises(mjbridge.TaskFailed):
        run(vendors)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_run_costs_more_accepted_tasks_than_the_route_allows(most: int) -> None:
    scripts = {name: [accepted(), FAILED] for name in ("one", "two", "three", "four")}
    vendors = Vendors(scripts, on_task_failed="next", max_submissions=most)
    with pytest.raises(mjbridge.TaskFailed):
        run(vendors)
    assert sum(vendors.asked().values()) == 2 * most


def test_a_failed_task_that_nobody_else_takes_is_the_outcome() -> None:
    vendors = Vendors({"one": [accepted(), FAILED], "two": [DOWN]}, on_task_failed="next")
    with pytest.raises(mjbridge.TaskFailed) as caught:
        run(vendors)
    assert caught.value.task is not None
    assert caught.value.task.ref == "one:1"


def test_a_second_submit_of_unknown_outcome_is_never_hidden_behind_the_first() -> None:
    vendors = Vendors({"one": [accepted(), FAILED], "two": [LOST], "three": []}, on_task_failed="next")
    with pytest.raises(mjbridge.SubmissionUnknown) as caught:
        run(vendors)
    assert trail(caught.value) == [("one", "TaskFailed"), ("two", "SubmissionUnknown")]
