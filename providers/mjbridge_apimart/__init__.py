"""APIMart: a dialect of its own, with two query shapes."""

from mjbridge_apimart.client import APIMart

__all__ = ["APIMart"]
