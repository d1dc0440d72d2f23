"""The generic MJ-proxy dialect, and what the vendors that descend from it share."""

from mjbridge_mjproxy.client import FamilyProvider
from mjbridge_mjproxy.generic import MJProxy

__all__ = ["FamilyProvider", "MJProxy"]
