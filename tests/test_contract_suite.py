"""The contract suite finds the mistakes that authors of plugins make, and takes what vendors may want for none."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mjbridge import HttpRequest, Status, Task
from mjbridge.doubts import OnDoubt
from mjbridge.emulator import Emulator
from mjbridge.fields import Record
from mjbridge.provider import NO_MATCH, Match, Provider, Recognizer, Signs
from mjbridge.testing import ProviderContract
from mjbridge.testing.fixtures import Conversation, RecordCase, conversations, record_cases
from mjbridge_cometapi import CometAPI


def suite(kind: type[Provider]) -> ProviderContract:
    """The contract of a provider that no entry point names."""

    class Suite(ProviderContract):
        provider = kind.name

        def _new(self, options: dict[str, Any] | None = None) -> Provider:
            return kind(options)

    return Suite()


class KnownAtSightAlone(CometAPI):
    """Its `matches` does not know the links by which its records are recognised."""

    signs = Signs(links=("https://",))

    def matches(self, record: object) -> Match:
        """Nothing."""
        del record
        return NO_MATCH


def test_a_record_that_is_known_at_sight_alone_is_found() -> None:
    with pytest.raises(AssertionError, match="matches does not"):
        suite(KnownAtSightAlone).test_what_is_known_at_sight_is_its_own()
    suite(CometAPI).test_what_is_known_at_sight_is_its_own()


class ReadAlike(CometAPI):
    """All that the emulator writes has a link of its own."""

    signs = Signs(links=("https://",))


class ReadInTwoWays(ReadAlike):
    """It has a price in each task, but for those that are known at sight."""

    def normalize(self, record: Record) -> Task:
        """With the price."""
        return msgspec.structs.replace(super().normalize(record), cost_usd=0.5)

    def recognizer(
        self, foreign: Signs, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None
    ) -> Recognizer | None:
        """Without it."""
        return ReadAlike().recognizer(foreign, keep_raw=keep_raw, on_doubt=on_doubt)


def test_a_record_that_is_read_in_two_ways_is_found() -> None:
    with pytest.raises(AssertionError, match="read it in two ways"):
        suite(ReadInTwoWays).test_what_is_known_at_sight_is_its_own()
    suite(ReadAlike).test_what_is_known_at_sight_is_its_own()


class Certain(CometAPI):
    """It takes `matches` for a question of yes or no."""

    def matches(self, record: object) -> Any:
        """Yes."""
        return bool(record)


def test_matches_that_give_no_match_are_found() -> None:
    with pytest.raises(AssertionError, match="detection asks"):
        suite(Certain).test_normalization_is_total()


class Signing(CometAPI):
    """Its key signs the body, and is sent nowhere."""

    def authorize(self, request: HttpRequest, key: str) -> HttpRequest:
        """An HMAC."""
        return request.with_header("X-Signature", hmac.new(key.encode(), request.content, hashlib.sha256).hexdigest())


class Keyless(CometAPI):
    """It forgets the key."""

    def authorize(self, request: HttpRequest, key: str) -> HttpRequest:
        """Nothing."""
        del key
        return request


def an_exchange() -> Conversation:
    """A submit of CometAPI's."""
    folder = Path(__file__).parent.parent / "fixtures" / "cometapi"
    return next(case for case in conversations(folder) if case.operation == "submit" and not case.error)


def test_a_signature_by_the_key_is_as_good_as_the_key() -> None:
    suite(Signing).test_fixture_conversation(an_exchange())


def test_a_request_without_the_key_is_found() -> None:
    with pytest.raises(AssertionError, match="comes of the key"):
        suite(Keyless).test_fixture_conversation(an_exchange())


def test_the_emulator_takes_a_body_that_is_signed_with_its_key_and_no_other() -> None:
    emulator = Emulator(Signing(), key="sk-emulated")
    asked = HttpRequest("POST", "/mj/submit/imagine", json={"prompt": "a cat", "botType": "MID_JOURNEY"})
    for key, status in (("sk-emulated", 200), ("sk-another", 401)):
        signed = Signing().authorize(asked, key).headers
        sent = {name.lower(): value for name, value in signed.items()}
        assert emulator.handle(HttpRequest(asked.method, asked.path, json=asked.json, headers=sent)).status == status


# Mistakes in fixtures, and what an author is told of them.

FACTS = {"source": "https://vendor.example/docs", "date": "2026-11-23", "about": "Something."}
ASKED: dict[str, object] = {
    **FACTS,
    "operation": "submit",
    "argument": {"command": "imagine", "prompt": "a"},
    "exchange": [],
}
SPOILED: dict[str, tuple[object, str]] = {
    "requests/neither.json": (ASKED, "state one of them"),
    "requests/both.json": ({**ASKED, "result": {}, "error": {"category": "Unavailable"}}, "state one of them"),
    "requests/word.json": ({**ASKED, "operation": "sbmit", "result": {}}, "'sbmit'"),
    "replies/key.json": ({**ASKED, "operaton": "submit", "result": {}}, "operaton"),
    "records/lone.json": ({"id": "1"}, "lone.task.json is not there"),
    "records/gone.task.json": ({**FACTS, "tasks": []}, "gone.json is not there"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_fixture_that_is_none_is_named(name: str, tmp_path: Path) -> None:
    content, fault = SPOILED[name]
    path = tmp_path / name
    path.parent.mkdir()
    path.write_bytes(msgspec.json.encode(content))
    load = record_cases if name.startswith("records/") else conversations
    with pytest.raises(ValueError, match=fault) as caught:
        load(tmp_path)
    assert str(path.with_suffix("").with_suffix("")) in str(caught.value)


def test_what_differs_of_a_record_is_told_by_field() -> None:
    case = RecordCase(
        **FACTS,
        records=[b'{"id": "1", "status": "FAILURE", "failReason": "the moon"}'],
        tasks=[Task(id="1", provider="cometapi", status=Status.FAILED, vendor_status="FAILURE", fail_reason="the sun")],
    )
    with pytest.raises(AssertionError, match=r"'fail_reason': \('the moon', 'the sun'\)"):
        suite(CometAPI).test_fixture_record(case)


def test_the_documented_accent_keeps_the_contract() -> None:
    page = Path(__file__).parent.parent / "docs" / "writing-a-provider.md"
    *_, last = page.read_text(encoding="utf-8").split("```python\n")
    names: dict[str, Any] = {}
    exec(last.partition("```")[0], names)  # noqa: S102 the page's own example
    contract = suite(names["Lumen"])
    contract.test_normalization_is_total()
    contract.test_what_is_known_at_sight_is_its_own()
    contract.test_a_finished_grid_is_whole()
    task = names["Lumen"]().normalize({"id": "1", "status": "CENSORED", "errorMessage": "no", "price": 0.5})
    assert (task.status, task.vendor_status, task.fail_reason, task.cost_usd) == ("failed", "CENSORED", "no", 0.5)
