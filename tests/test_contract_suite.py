"""The contract suite finds the mistakes that authors of plugins make, and tells them where."""

from typing import Any

import pytest

from mjbridge.provider import NO_MATCH, Match, Provider, Signs
from mjbridge.testing import ProviderContract
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
