"""Atelier keeps the contract of every provider."""

from pathlib import Path

from mjbridge.testing import ProviderContract


class TestAtelier(ProviderContract):
    provider = "atelier"
    fixtures = Path(__file__).parent.parent / "fixtures"
