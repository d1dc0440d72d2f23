"""Finished files on disk, over real sockets: what is saved, and what is refused."""

import gzip
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mjbridge
from mjbridge import Action, Bridge, Status, Task, plugins
from mjbridge.downloads import Progress
from mjbridge.emulator import Emulator, application
from mjbridge.emulator import pictures as emulated
from mjbridge.testing import FakeTransport
from mjbridge.testing.stage import Clock
from mjbridge.transport import RequestsTransport
from tests.exchanges import BRIEF, ENDLESS, SOON, OpenBridge, StartServer
from tests.files import MP4, PNG, done, names, serving
from tests.processes import PATIENCE
from tests.rehearsals import scripted
from tests.servers import Connection, reply

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


# What is saved.


def test_the_grid_its_singles_and_the_clips_are_saved_in_order(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    files = {"/g": PNG, **{f"/{number}": PNG + bytes([number]) for number in range(1, 5)}, "/v": MP4}
    url = scripted(serving(files)).url
    task = done(f"{url}/g", image_urls=tuple(f"{url}/{n}" for n in range(1, 5)), video_urls=(f"{url}/v",))
    seen: list[Progress] = []
    paths = bridge().download(task, tmp_path, on_progress=seen.append)
    assert [path.name for path in paths] == ["1.png", "1_1.png", "1_2.png", "1_3.png", "1_4.png", "1_video_1.mp4"]
    assert [path.read_bytes() for path in paths] == list(files.values())
    assert names(tmp_path) == sorted(path.name for path in paths)
    last = {each.name: each for each in seen}
    assert {name: each.received for name, each in last.items()} == {path.name: path.stat().st_size for path in paths}
    assert all(each.received == each.size for each in last.values())


def test_a_video_alone_is_something_to_download(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    url = scripted(serving({"/v": MP4})).url
    (path,) = bridge().download(done(video_urls=(f"{url}/v",)), tmp_path / "new" / "folder")
    assert path.name == "1_video_1.mp4"


def test_several_files_are_fetched_at_once_and_never_more_than_four(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    at_once, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(4)

    def handle(connection: Connection) -> None:
        nonlocal at_once, most
        connection.request()
        with lock:
            at_once += 1
            most = max(most, at_once)
        both.wait(PATIENCE)
        with lock:
            at_once -= 1
        connection.send(reply(PNG))

    url = scripted(handle).url
    bridge().download(done(image_urls=tuple(f"{url}/{number}" for number in range(8))), tmp_path)
    assert most == 4


def test_what_is_there_is_not_fetched_again(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    server = scripted(serving({"/g": PNG, "/1": PNG, "/v": MP4}))
    task = done(f"{server.url}/g", image_urls=(f"{server.url}/1",), video_urls=(f"{server.url}/v",))
    first = bridge().download(task, tmp_path)
    asked = len(server.requests)
    (tmp_path / "1_1.png").write_bytes(b"")
    assert bridge().download(task, tmp_path) == first
    assert len(server.requests) == asked + 1, "the file that was emptied, and no other"
    assert first[1].read_bytes() == PNG


def test_the_other_files_are_saved_when_one_is_gone(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    url = scripted(serving({"/1": PNG, "/3": PNG})).url
    task = done(image_urls=(f"{url}/1", f"{url}/2", f"{url}/3"))
    with pytest.raises(mjbridge.Unavailable, match="HTTP 404"):
        bridge().download(task, tmp_path)
    assert names(tmp_path) == ["1_1.png", "1_3.png"]


def test_two_at_the_same_file_do_not_disturb_each_other(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    url = scripted(serving({"/g": PNG})).url
    opened, task = bridge(), done(f"{url}/g")
    threads = [threading.Thread(target=opened.download, args=(task, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert names(tmp_path) == ["1.png"]
    assert (tmp_path / "1.png").read_bytes() == PNG


# What is no picture, or too much of one.


def test_a_page_instead_of_a_picture_is_refused_at_its_first_bytes(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    def flood(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n<html>")
        connection.drip(b" " * 2**20, 60)

    server = scripted(flood)
    with pytest.raises(mjbridge.MalformedReply, match="no PNG, JPEG, WebP or GIF picture"):
        bridge().download(done(f"{server.url}/g"), tmp_path)
    assert names(tmp_path) == []
    assert server.connections[0].sent < 2**25


@pytest.mark.parametrize("field", ["image_url", "video_urls"])
@pytest.mark.parametrize("content", [b"", b"<html>", b"\x7fELF" + bytes(100), b"%PDF-1.7"])
def test_a_picture_is_a_picture_and_a_clip_a_clip(
    field: str, content: bytes, scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    wrong = content or (PNG if field == "video_urls" else MP4)
    url = f"{scripted(serving({'/f': wrong})).url}/f"
    task = done(url) if field == "image_url" else done(video_urls=(url,))
    with pytest.raises(mjbridge.MalformedReply, match="is no "):
        bridge().download(task, tmp_path)
    assert names(tmp_path) == []


def test_ten_gigabytes_are_refused_before_the_first_of_them(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    def huge(connection: Connection) -> None:
        connection.request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {10 * 2**30}\r\n\r\n".encode() + PNG)
        connection.drip(bytes(2**20), 10 * 2**10)

    server = scripted(huge)
    with pytest.raises(mjbridge.MalformedReply, match="larger than"):
        bridge().download(done(f"{server.url}/g"), tmp_path)
    assert names(tmp_path) == []
    assert server.connections[0].sent < 2**25


def test_a_picture_without_end_is_left_at_its_bound(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    def flood(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nETag: x\r\n\r\n" + PNG)
        connection.drip(bytes(2**20), 2**8)

    with pytest.raises(mjbridge.MalformedReply, match="larger than"):
        bridge().download(done(f"{scripted(flood).url}/g"), tmp_path)
    assert names(tmp_path) == []


def test_who_sends_too_slowly_is_given_up(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    def drip(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + PNG[:20])
        connection.drip(b"x", 1000, 0.05)

    server = scripted(drip)
    with pytest.raises(mjbridge.Unavailable, match="broke off after"):
        bridge("apimart", connect_timeout=0.2, read_timeout=0.2).download(done(f"{server.url}/g"), tmp_path)
    assert names(tmp_path) == []


def test_a_large_file_may_take_longer_than_the_time_outs_while_it_comes(scripted: StartServer) -> None:
    clock, content = Clock(), PNG * 4
    url = scripted(serving({"/g": content})).url
    began, received = clock.now, 0
    with RequestsTransport(url, connect_timeout=10, read_timeout=60, clock=clock).open(
        f"{url}/g", timeout=1000
    ) as opened:
        for chunk in opened.chunks:
            received += len(chunk)
            clock.sleep(len(chunk) / 13_000)
    assert received == len(content)
    assert clock.now - began > 10 + 60


def test_a_file_that_comes_packed_unasked_is_unpacked(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    url = scripted(serving({"/g": gzip.compress(PNG)}, {"Content-Encoding": "gzip"})).url
    (path,) = bridge().download(done(f"{url}/g"), tmp_path)
    assert path.read_bytes() == PNG


def test_the_time_of_a_download_bounds_it_however_steadily_the_file_comes(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    def endless(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + PNG)
        connection.drip(bytes(1000), ENDLESS, BRIEF / 5)

    started = time.monotonic()
    with pytest.raises(mjbridge.Unavailable, match="broke off"):
        bridge().download(done(f"{scripted(endless).url}/g"), tmp_path, timeout=5 * BRIEF)
    assert time.monotonic() - started < SOON


def test_a_task_of_a_million_pictures_is_refused(bridge: OpenBridge, tmp_path: Path) -> None:
    with pytest.raises(mjbridge.MalformedReply, match="1000000 files"):
        bridge().download(done(image_urls=("http://127.0.0.1:9/1",) * 10**6), tmp_path)


# A link that is dead.


@pytest.mark.parametrize("dead", ["http://127.0.0.1:9/gone.png", "http://192.0.2.1/gone.png", "file:///etc/passwd"])
def test_the_vendor_s_own_image_proxy_stands_in_for_a_dead_link(
    dead: str, serve: "Callable[[WSGIApplication], str]", bridge: OpenBridge, tmp_path: Path
) -> None:
    emulator = Emulator(plugins.load("mjproxy")(), duration=0)
    opened = bridge("mjproxy", serve(application(emulator)))
    task = opened.fetch(opened.imagine("pig"))
    (path,) = opened.download(done(dead, id=task.id), tmp_path)
    assert path.read_bytes() == emulated.grid("pig")


@pytest.mark.parametrize("singles", [False, True])
def test_without_a_proxy_a_dead_link_is_the_error_it_is(
    singles: bool, scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(serving({}))
    task = done(f"{server.url}/gone", action=Action.IMAGINE)
    with pytest.raises(mjbridge.Unavailable, match=r"no picture at 127\.0\.0\.1"):
        bridge("apimart").download(task, tmp_path, singles=singles)
    assert names(tmp_path) == []


# The disk.


def test_a_full_disk_is_said_and_leaves_nothing(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    url = scripted(serving({"/g": PNG})).url
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(mjbridge.InvalidCommand, match="No space left on device"):
        bridge().download(done(f"{url}/g"), tmp_path)
    assert names(tmp_path) == []


def test_a_file_s_name_is_the_task_s_own_on_every_disk(tmp_path: Path) -> None:
    """Ids that differ by case, hold what no path may, or are a device's name come out apart."""
    transport = FakeTransport(pictures={"u": b"RIFF\x00\x0a\x00\x0dWEBP"})
    bridge = Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj"}}},
        transport=lambda _provider, _settings: transport,
    )
    names: list[str] = []
    for task_id in ("1730621718151844", "aBc", "ABC", "a/b", "a.b", "CON", "x" * 300):
        task = Task(id=task_id, account="main", status=Status.COMPLETED, image_url="u")
        (saved,) = bridge.download(task, tmp_path)
        names.append(saved.name)
    assert names[0] == "1730621718151844.webp"
    assert len({name.lower() for name in names}) == len(names)
    assert all(len(name) < 100 and "CON.webp" not in name for name in names)


def test_a_disk_that_refuses_leaves_no_partial_file(tmp_path: Path) -> None:
    (tmp_path / "1.png").mkdir()
    transport = FakeTransport(pictures={"u": b"\x89PNG\r\n\x1a\n"})
    bridge = Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj"}}},
        transport=lambda _provider, _settings: transport,
    )
    with pytest.raises(mjbridge.InvalidCommand, match="cannot be saved there"):
        bridge.download(Task(id="1", account="main", status=Status.COMPLETED, image_url="u"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1.png"]


@pytest.mark.parametrize(
    "task",
    [
        Task(id="1", account="main", status=Status.PROCESSING, preview_url="p"),
        Task(id="1", account="main", status=Status.FAILED, image_url="p"),
        Task(id="1", account="main", status=Status.COMPLETED),
    ],
    ids=["preview", "failed", "no link"],
)
def test_a_download_needs_a_finished_picture(task: Task, tmp_path: Path) -> None:
    bridge, transport, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match="no finished picture"):
        bridge.download(task, tmp_path)
    assert transport.requests == []


def test_a_folder_that_cannot_be_is_told(bridge: OpenBridge, tmp_path: Path) -> None:
    with pytest.raises(mjbridge.InvalidCommand, match="cannot be saved there"):
        bridge().download(done("http://127.0.0.1:9/1"), tmp_path / "\0")


def test_a_hostile_id_names_no_path_and_a_page_is_no_picture(tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n..."
    transport = FakeTransport(pictures={"https://cdn/ok": png, "https://cdn/html": b"<html>"})
    bridge = Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": "http://mj"}}},
        transport=lambda _provider, _settings: transport,
    )
    hostile = Task(id="../../etc/x", account="main", status=Status.COMPLETED, image_url="https://cdn/ok")
    (saved,) = bridge.download(hostile, tmp_path / "out")
    assert saved.parent == tmp_path / "out"
    assert saved.read_bytes() == png
    page = Task(id="1", account="main", status=Status.COMPLETED, image_url="https://cdn/html")
    with pytest.raises(mjbridge.MalformedReply, match="no PNG, JPEG, WebP or GIF"):
        bridge.download(page, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [saved.name]
