"""Atelier, a vendor that does not exist, with a dialect that is like no other."""

from mjbridge_atelier.client import Atelier

__all__ = ["Atelier"]
