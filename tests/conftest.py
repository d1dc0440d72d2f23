"""What the tests share: servers that close with the test, and an environment that says nothing of proxies."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests import servers
from tests.servers import Handler, Scripted

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


@pytest.fixture
def serve() -> "Iterator[Callable[[WSGIApplication], str]]":
    """Runs a WSGI application until the test ends; gives its base URL."""
    with ExitStack() as stack:
        yield lambda application: stack.enter_context(servers.serve(application))


@pytest.fixture
def scripted() -> Iterator[Callable[[Handler], Scripted]]:
    """Runs a scripted server until the test ends."""
    with ExitStack() as stack:
        yield lambda handler: stack.enter_context(servers.scripted(handler))


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine that runs the tests has in its environment must not matter to them."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("NETRC", "MJBRIDGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
