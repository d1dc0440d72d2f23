"""The tests. A package, so that they can share `tests.servers` and the fixtures of `tests.conftest`."""
