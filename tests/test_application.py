"""The same application on each vendor and on all of them, by configuration alone; and many threads on one bridge.

The vendors are emulators behind HTTP, on real sockets, each in its own dialect.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import mjbridge
from mjbridge import Bridge, Imagine, MJBridgeError, Provider, Status, SubmissionUnknown, plugins
from mjbridge.config import AccountSettings
from mjbridge.emulator import Emulator, EmulatorTransport, Fault, HttpFault, QueueFull, application
from mjbridge.emulator.jobs import Job, JobMemory
from mjbridge.wire import HttpRequest, HttpResponse, Transport
from tests.exchanges import KEY, PROVIDERS, StartApplication

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# The application: it names no vendor, and no line of it differs between them.


def main(config: Path, folder: Path) -> list[str]:
    with mjbridge.Bridge(config) as bridge:
        grid = bridge.run(mjbridge.Imagine(prompt="a lighthouse at dusk --ar 16:9"))
        single = bridge.wait(bridge.upscale(grid, 2))
        paths = bridge.download(single, folder)
        return [grid.account, single.account, *(path.suffix for path in paths)]


class Street:
    """The four vendors, each behind HTTP, and a configuration that knows them by these names."""

    def __init__(self, serve: StartApplication) -> None:
        self.emulators: dict[str, Emulator] = {}
        self.urls = {name: self._open(name, serve) for name in PROVIDERS}

    def _open(self, name: str, serve: StartApplication) -> str:
        mounted: list[WSGIApplication] = []

        def late(environ: "WSGIEnvironment", start_response: "StartResponse") -> Any:
            return mounted[0](environ, start_response)

        # The pictures' addresses begin with the server's own, which is known once it runs.
        url = serve(late)
        self.emulators[name] = Emulator(plugins.load(name)(), public_url=url, duration=0.2)
        mounted.append(application(self.emulators[name]))
        return url

    def write(self, path: Path, route: tuple[str, ...]) -> Path:
        accounts = "".join(
            f'[accounts.{name}]\nprovider = "{name}"\nbase_url = "{url}"\napi_key = "{KEY}"\npoll_interval = 0.05\n'
            for name, url in self.urls.items()
        )
        path.write_text(f"{accounts}\n[routes]\ndefault = {list(route)}\n", encoding="utf-8")
        path.chmod(0o600)
        return path


@pytest.fixture
def street(serve: StartApplication) -> Street:
    return Street(serve)


@pytest.mark.parametrize("route", [*((name,) for name in PROVIDERS), PROVIDERS], ids="-".join)
def test_the_same_application_runs_on_each_vendor_and_on_all_of_them(
    route: tuple[str, ...], street: Street, tmp_path: Path
) -> None:
    config = street.write(tmp_path / "mjbridge.toml", route)
    assert main(config, tmp_path / "out") == [route[0], route[0], ".png"]


@pytest.mark.parametrize("down", range(1, len(PROVIDERS)))
def test_it_runs_on_as_long_as_one_vendor_is_left(down: int, street: Street, tmp_path: Path) -> None:
    """Whoever takes the grid upscales it too."""
    for name in PROVIDERS[:down]:
        street.emulators[name].faults.add(QueueFull(times=9))
    config = street.write(tmp_path / "mjbridge.toml", PROVIDERS)
    assert main(config, tmp_path / "out") == [PROVIDERS[down], PROVIDERS[down], ".png"]


# Many threads.

SECONDS: Final = float(os.environ.get("MJBRIDGE_TEST_SECONDS", "2"))
"""How long sixteen threads go on; a minute is what is asked for before a release."""
THREADS: Final = 16

# What goes wrong before the vendor's API sees a request.
TROUBLE: Final[tuple[Callable[[], Fault], ...]] = (
    QueueFull,
    lambda: HttpFault(status=503),
    lambda: HttpFault(status=429, headers={"retry-after": "0"}),
    lambda: HttpFault(status=502, body=b"<html>bad gateway</html>"),
    lambda: HttpFault(status=200, body=b"null"),
    lambda: HttpFault(status=401),
)


class Count(JobMemory):
    """The vendor's own count of what it accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[str] = []

    def add(self, job: Job) -> bool:
        added = super().add(job)
        if added:
            self.accepted.append(job.id)
        return added


class Shaky(EmulatorTransport):
    """A vendor in trouble, whose replies are lost at times: those to submits that it took are counted."""

    def __init__(self, provider: Provider) -> None:
        self.count = Count()
        self.lost = 0
        self.mended = False
        super().__init__(Emulator(provider, duration=0.01, jobs=self.count))
        self._chance = random.Random(provider.name)  # noqa: S311 a test's dice, the same in each run
        self._lock = threading.Lock()

    def send(self, request: HttpRequest) -> HttpResponse:
        if self.mended:
            return super().send(request)
        with self._lock:
            if self._chance.random() < 0.3:
                self.emulator.faults.add(self._chance.choice(TROUBLE)())
            before = len(self.count.accepted)
            response = super().send(request)
            if self._chance.random() < 0.1:
                self.lost += len(self.count.accepted) - before
                raise mjbridge.Unavailable("the reply was lost", accepted="maybe")
            return response


def test_sixteen_threads_under_random_faults_account_for_every_task() -> None:
    """What the vendors accepted is what the threads hold, and as many more as there were unknown submits."""
    vendors: dict[str, Shaky] = {}

    def transport(provider: Provider, _settings: AccountSettings) -> Transport:
        return vendors.setdefault(provider.name, Shaky(provider))

    bridge = Bridge(
        {
            "accounts": {
                name: {"provider": name, "base_url": "emulator:", "poll_interval": 0.001} for name in PROVIDERS
            },
            "routes": {"default": {"accounts": list(PROVIDERS), "cool_down": 0.005}},
        },
        sleep=lambda seconds: time.sleep(min(seconds, 0.005)),
        transport=transport,
    )
    until = time.monotonic() + SECONDS
    outcomes: Counter[str] = Counter()
    held: list[str] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        while time.monotonic() < until or outcomes["task"] <= THREADS:
            outcome, task = _one(bridge, f"a lighthouse {number}")
            with lock:
                outcomes[outcome] += 1
                held.extend([task] if task else [])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    accepted = [f"{name}:{task}" for name, vendor in vendors.items() for task in vendor.count.accepted]
    assert len(held) == len(set(held)) == outcomes["task"]
    assert set(held) <= set(accepted)
    assert len(accepted) - len(held) == sum(vendor.lost for vendor in vendors.values())
    assert len(accepted) - len(held) <= outcomes["unknown"]
    assert set(outcomes) <= {"task", "unknown", "refused"}
    # And none of them is beyond reach, once the trouble is over.
    for vendor in vendors.values():
        vendor.mended = True
    assert {bridge.wait(ref).status for ref in random.Random(1).sample(held, 10)} == {Status.COMPLETED}  # noqa: S311 a test's dice


def _one(bridge: Bridge, prompt: str) -> tuple[str, str]:
    try:
        return "task", bridge.submit(Imagine(prompt=prompt)).ref
    except SubmissionUnknown:
        return "unknown", ""
    except MJBridgeError:
        return "refused", ""
