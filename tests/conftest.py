"""What tests share: bridges and servers that close with the test, a quiet environment, a watch that no key is shown."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from mjbridge import Bridge
from mjbridge.emulator.transport import SECONDS
from mjbridge.transport import RequestsTransport
from tests import servers
from tests.environments import ROOT, build_wheel
from tests.exchanges import KEY, PATIENT, PROVIDERS, SELF_HOSTED, OpenBridge
from tests.leaks import no_key_leaks
from tests.servers import Handler, Scripted
from tests.shell import Shell

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

__all__ = ["no_key_leaks"]

# The benchmarks stand beside the tests: behind what is installed, so that no source of ours is taken for the wheel.
sys.path.append(str(ROOT))

# How long an example takes is the machine's business. A gate is not to fall by chance: there, each run has the same.
settings.register_profile(
    "any machine", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

collect_ignore = ["foreign"]  # a package of its own: tested where it is installed


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel: the one that `$MJBRIDGE_WHEEL` names, else built from the sources."""
    named = os.environ.get("MJBRIDGE_WHEEL")
    return Path(named) if named else build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


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
    """What the machine that runs the tests has in its environment must not matter to them; and nothing takes time."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("NETRC", "MJBRIDGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    # Compiled once, not by each of the hundreds of processes.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv(SECONDS, "0")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """The command line, in the test's own folder."""
    return Shell(tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a journal may be."""
    return tmp_path / "jobs.db"


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    """Each of the four."""
    return str(request.param)


@pytest.fixture
def bridge() -> Iterator[OpenBridge]:
    """Opens bridges with one account, whose pauses take no time, until the test ends."""
    with ExitStack() as stack:

        def build(provider: str = "mjproxy", url: str = SELF_HOSTED, **settings: Any) -> Bridge:
            account = {"provider": provider, "base_url": url, "api_key": KEY, **PATIENT}
            return stack.enter_context(Bridge({"accounts": {"a": account | settings}}, sleep=lambda _seconds: None))

        yield build


@pytest.fixture
def transport() -> Iterator[Callable[..., RequestsTransport]]:
    """Opens transports until the test ends."""
    with ExitStack() as stack:

        def build(url: str, **settings: Any) -> RequestsTransport:
            opened = RequestsTransport(url, **settings)
            stack.callback(opened.close)
            return opened

        yield build
