"""The mjbridge provider for acme."""

from mjbridge_acme.client import AcmeProvider

__all__ = ["AcmeProvider"]
