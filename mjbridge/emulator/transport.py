"""The emulated vendor, and the transport that reaches it in process."""

import math
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote

import msgspec

from mjbridge import plugins, settings
from mjbridge.config import EMULATOR
from mjbridge.emulator.faults import Faults, HttpFault, SlowReply
from mjbridge.emulator.jobs import JobFolder, JobMemory, Jobs
from mjbridge.emulator.simulator import Simulator
from mjbridge.errors import AuthenticationError, ConfigError, TaskNotFound, Unavailable
from mjbridge.provider import Provider
from mjbridge.serving import picture, reply
from mjbridge.wire import PICTURE_LIMIT, Content, HttpRequest, HttpResponse

IN_PROCESS_URL: Final = "https://emulator.invalid"
"""Where the in-process emulator's pictures seem to be; by RFC 2606 no such host will ever exist."""

SECONDS: Final = "MJBRIDGE_EMULATOR_SECONDS"
"""The environment variable that says how many seconds a grid takes where nobody makes the emulator by hand."""

_PICTURES: Final = "/pictures/"


class Emulator:
    """A vendor: a provider's server half before a simulator, its pictures, and its scripted faults.

    `provider` is one as its account has it, or the name of one without options.
    Requests without its `key` are refused; None takes any key, or none. Pictures are public, as every vendor's are.
    """

    def __init__(
        self,
        provider: Provider | str,
        *,
        public_url: str = IN_PROCESS_URL,
        clock: Callable[[], float] = time.time,
        duration: float = 2.0,
        jobs: Jobs | None = None,
        key: str | None = None,
    ) -> None:
        provider = plugins.load(provider)() if isinstance(provider, str) else provider
        self._provider = provider
        self._key = key
        self.public_url = public_url
        self.faults = Faults()
        self.simulator = Simulator(
            provider.new_task_id, public_url, clock=clock, duration=duration, jobs=jobs, faults=self.faults
        )
        self._server = provider.server(self.simulator, public_url)

    def handle(self, request: HttpRequest) -> HttpResponse:
        """The vendor's reply to a request."""
        fault = self.faults.take(HttpFault)
        if fault:
            return HttpResponse(fault.status, fault.body, {name.lower(): each for name, each in fault.headers.items()})
        if request.method == "GET" and request.path.startswith(_PICTURES):
            return self._picture(unquote(request.path.removeprefix(_PICTURES)))
        if self._authorized(request):
            return self._server.handle(request)
        # A GET changes nothing, so it may be answered to see whether a picture comes of it.
        response = self._server.handle(request) if request.method == "GET" else None
        if response and response.headers.get("content-type", "").startswith("image/"):
            return response
        return self._server.refuse(AuthenticationError("the key is missing or wrong"))

    def _authorized(self, request: HttpRequest) -> bool:
        if self._key is None:
            return True
        # With its body, which a vendor may have signed with the key.
        bare = msgspec.structs.replace(request, headers={})
        expected = self._provider.authorize(bare, self._key).headers
        return all(request.headers.get(name.lower()) == value for name, value in expected.items())

    def delay(self) -> float:
        """Seconds to hold the next reply back."""
        slow = self.faults.take(SlowReply)
        return slow.seconds if slow else 0.0

    def _picture(self, name: str) -> HttpResponse:
        try:
            content = self.simulator.picture(name)
        except TaskNotFound as error:
            return reply({"error": error.message}, 404)
        return HttpResponse(200, content, {"content-type": "video/mp4"}) if name.endswith(".mp4") else picture(content)


class EmulatorTransport:
    """Reaches an emulator without a socket. A reply slower than `read_timeout` seconds is lost, as on a network."""

    def __init__(
        self, emulator: Emulator, *, read_timeout: float = 60.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.emulator = emulator
        self._read_timeout = read_timeout
        self._sleep = sleep

    def send(self, request: HttpRequest) -> HttpResponse:
        """The emulator's reply."""
        delay = self.emulator.delay()
        patience = min(self._read_timeout, request.timeout or math.inf)
        self._sleep(min(delay, patience))
        response = self.emulator.handle(request)
        if delay > patience:
            raise Unavailable("no usable reply from the emulator: it is slower than the time-out", accepted="maybe")
        return response

    @contextmanager
    def open(
        self, url: str, limit: int = PICTURE_LIMIT, start: int = 0, timeout: float | None = None
    ) -> Generator[Content, None, None]:
        """A picture of the emulator's own, always whole; no other address can be reached."""
        path = url.removeprefix(self.emulator.public_url)
        if path == url:
            raise Unavailable(f"the emulator has no pictures but its own, and this is {url}")
        response = self.emulator.handle(HttpRequest("GET", path))
        if not response.ok:
            raise Unavailable("the emulator has no such picture", http_status=response.status, body=response.text)
        yield Content(iter([response.body]), size=len(response.body))

    def close(self) -> None:
        """Nothing to free."""


def open_emulator(provider: Provider, base_url: str, *, read_timeout: float = 60.0) -> EmulatorTransport:
    """The emulator behind `emulator:`, or behind `emulator:FOLDER`, which remembers its tasks there."""
    folder = base_url.removeprefix(EMULATOR)
    jobs: Jobs = JobFolder(settings.path(folder)) if folder else JobMemory()
    return EmulatorTransport(Emulator(provider, jobs=jobs, duration=_duration()), read_timeout=read_timeout)


def _duration() -> float:
    written = os.environ.get(SECONDS, "2")
    try:
        seconds = float(written)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ConfigError(f"${SECONDS} is {written!r}; it must be a number of seconds, as in 0 or 2.5")
    return seconds
