"""A user's code as type checkers see it: a type that changes under users is an error of mypy and of pyright here.

Nothing here runs; both checkers read it in strict mode.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

import mjbridge
from mjbridge import (
    Bridge,
    Button,
    Config,
    HttpRequest,
    Imagine,
    Level,
    MJBridgeError,
    Provider,
    ProviderInfo,
    Reject,
    Status,
    Support,
    Task,
    WaitTimeout,
)


def records(record: dict[str, Any]) -> None:
    """A record may be bytes, text or a mapping, and always becomes a task."""
    assert_type(mjbridge.normalize(b"{}", "apimart"), Task)
    assert_type(mjbridge.normalize("{}"), Task)
    assert_type(mjbridge.normalize(record, provider="apimart", keep_raw=False), Task)
    assert_type(mjbridge.normalizer("apimart")(record), Task)
    assert_type(mjbridge.detect(record), str | None)
    assert_type(mjbridge.providers(), dict[str, ProviderInfo])
    for item in mjbridge.records.read(b"[]"):
        assert_type(item, Task | Reject)


def task(task: Task) -> None:
    """What a task holds."""
    assert_type(mjbridge.merge(task, task), Task)
    assert_type(task.id, str)
    assert_type(task.ref, str)
    assert_type(task.status, Status)
    assert_type(task.progress, int | None)
    assert_type(task.image_url, str | None)
    assert_type(task.image_urls, tuple[str, ...])
    assert_type(task.buttons, tuple[Button, ...])
    assert_type(task.submitted_at, datetime | None)
    assert_type(task.done, bool)
    assert_type(task.button("upsample", 2), Button | None)
    assert_type(task.to_json(), bytes)


def bridge(bridge: Bridge, on_update: Callable[[Task], None]) -> None:
    """What applications call."""
    with Bridge({"accounts": {"main": {"provider": "apimart"}}}) as opened:
        assert_type(opened, Bridge)
    grid = bridge.imagine("a lighthouse", route="default", speed="fast")
    assert_type(grid, Task)
    assert_type(bridge.submit(Imagine(prompt="a lighthouse")), Task)
    assert_type(bridge.imagine("a lighthouse", images=(Path("cat.png"), b"", "https://x.example/1.png")), Task)
    assert_type(bridge.edit("at night", [Path("cat.png")], mask=b"", aspect="16:9", extra={"seed": 1}), Task)
    assert_type(bridge.video(b"", "waves", end_image=Path("cat.png"), batch=1, loop=True), Task)
    assert_type(bridge.animate(grid, 1, auto=True, end_image=b"", speed="fast"), Task)
    assert_type(bridge.wait(grid, timeout=60, on_update=on_update), Task)
    assert_type(bridge.upscale(grid, 2), Task)
    assert_type(bridge.press("main:1", "U1"), Task)
    assert_type(bridge.fetch("main:1"), Task)
    assert_type(bridge.fetch_many([grid, "main:1"]), list[Task])
    assert_type(bridge.download(grid, "out"), list[Path])
    assert_type(mjbridge.Config(), Config)


def slips(bridge: Bridge, grid: Task) -> None:
    """What both checkers refuse: a comment that has nothing to ignore is an error of its own."""
    bridge.imagine("a lighthouse", asepct="16:9")  # type: ignore[call-arg]  # no such field
    bridge.imagine("a lighthouse", stylize="lots")  # type: ignore[arg-type]  # a number
    bridge.edit("at night", [b""], loop=True)  # type: ignore[call-arg]  # a field of Video
    bridge.edit("at night", [b""], retexture="yes")  # type: ignore[arg-type]  # True or False
    bridge.video(b"", auto=True)  # type: ignore[call-arg]  # a field of Animate
    bridge.video(b"", batch="2")  # type: ignore[arg-type]  # a number
    bridge.animate(grid, loop=True)  # type: ignore[call-arg]  # a field of Video
    bridge.animate(grid, end_image=1)  # type: ignore[arg-type]  # a picture


def errors(error: MJBridgeError, timeout: WaitTimeout) -> None:
    """What errors carry."""
    assert_type(error.account, str)
    assert_type(error.retry_after, float | None)
    assert_type(error.vendor_code, str)
    assert_type(timeout.task, Task | None)


class Plugin(Provider):
    """A provider's class, as its author writes it."""

    name = "plugin"
    api_version = 1
    base_url = None
    supports = {Imagine: Support(Level.NATIVE)}  # noqa: RUF012 authors write it so, and it has to type-check

    def fetch(self, task_id: str) -> mjbridge.Flow[Task]:
        """A flow yields requests and is sent responses."""
        reply = yield HttpRequest("GET", f"/jobs/{task_id}")
        assert_type(reply, mjbridge.HttpResponse)
        return self.normalize(reply.body)

    def each(self, task_ids: list[str]) -> Iterator[HttpRequest]:
        """The requests of a flow."""
        yield from self.fetch_many(task_ids)
