"""What a provider is tested with, ours and anybody's (extra `testing`).

from mjbridge.testing import ProviderContract

class TestAcme(ProviderContract):
provider = "acme"
fixtures = Path(__file__).parent / "fixtures"
"""

import pytest

pytest.register_assert_rewrite("mjbridge.testing.contract", "mjbridge.testing.cells", "mjbridge.testing.stage")

from mjbridge.testing.contract import ProviderContract
from mjbridge.testing.fake import FakeTransport
from mjbridge.testing.fixtures import Conversation, RecordCase, conversations, record_cases
from mjbridge.testing.wild import mutated

__all__ = [
    "Conversation",
    "FakeTransport",
    "ProviderContract",
    "RecordCase",
    "conversations",
    "mutated",
    "record_cases",
]
