"""OctopusX: the MJ-proxy dialect with the speed in the body."""

from mjbridge_octopusx.client import OctopusX

__all__ = ["OctopusX"]
