"""The contract suite finds the mistakes that authors of plugins make, and takes what vendors may want for none."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from mjbridge import HttpRequest
from mjbridge.emulator import Emulator
from mjbridge.provider import NO_MATCH, Match, Provider, Signs
from mjbridge.testing import ProviderContract
from mjbridge.testing.fixtures import Conversation, conversations
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
