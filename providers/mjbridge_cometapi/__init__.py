"""CometAPI: the MJ-proxy dialect behind a gateway of its own."""

from mjbridge_cometapi.client import CometAPI

__all__ = ["CometAPI"]
