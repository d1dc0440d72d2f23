"""Downloads that broke off: what goes on where it stopped, what begins anew, and what is left behind for neither."""

import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

import mjbridge
from mjbridge.downloads import Progress
from tests.exchanges import OpenBridge, StartServer
from tests.files import PNG, TAG, breaking_off, done, names, serving
from tests.processes import PATIENCE, run
from tests.servers import Connection, reply


def test_a_file_that_broke_off_goes_on_where_it_stopped(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(breaking_off(PNG, 1000, serving({"/g": PNG})))
    task = done(f"{server.url}/g")
    with pytest.raises(mjbridge.Unavailable, match="broke off"):
        bridge("apimart").download(task, tmp_path)
    (left,) = names(tmp_path)
    assert re.fullmatch(r"\.1\.[0-9a-f]{16}\.0\.part", left)
    (path,) = bridge("apimart").download(task, tmp_path)
    assert path.read_bytes() == PNG
    assert names(tmp_path) == ["1.png"]
    assert b"Range: bytes=1000-" in server.requests[-1]


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        pytest.param({"ETag": '"two"'}, PNG[:8] + PNG[::-1], id="the content has changed"),
        pytest.param({}, PNG, id="the server ignores ranges"),
    ],
)
def test_a_file_that_cannot_go_on_begins_anew(
    headers: dict[str, str], content: bytes, scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(breaking_off(PNG, 1000, serving({"/g": content}, headers)))
    task = done(f"{server.url}/g")
    with pytest.raises(mjbridge.Unavailable):
        bridge("apimart").download(task, tmp_path)
    (path,) = bridge("apimart").download(task, tmp_path)
    assert path.read_bytes() == content
    assert names(tmp_path) == ["1.png"]


KILLED: Final = """
import os, signal, sys
from mjbridge import Action, Bridge, Status, Task

url, folder, more = sys.argv[1:]
began = []

def kill(progress):
    began.append(progress.received)
    if progress.received >= began[0] + int(more):
        os.kill(os.getpid(), signal.SIGKILL)

with Bridge({"accounts": {"a": {"provider": "apimart", "base_url": url, "api_key": "x"}}}) as bridge:
    task = Task(id="1", account="a", status=Status.COMPLETED, image_url=f"{url}/g")
    bridge.download(task, folder, on_progress=kill)
"""


def test_a_file_whose_process_was_killed_goes_on_where_it_stopped(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    content = PNG * 4
    server = scripted(serving({"/g": content}))
    sizes: list[int] = []
    for _ in range(3):
        died = run(sys.executable, "-c", KILLED, server.url, str(tmp_path), "200000")
        assert died.returncode == -signal.SIGKILL, died.stderr
        (left,) = tmp_path.iterdir()
        sizes.append(left.stat().st_size)
    assert sizes == sorted(set(sizes))
    (path,) = bridge("apimart").download(done(f"{server.url}/g"), tmp_path)
    assert path.read_bytes() == content
    assert names(tmp_path) == ["1.png"]
    starts = [int(found[1]) for each in server.requests if (found := re.search(rb"Range: bytes=(\d+)-", each))]
    assert starts == sizes


def test_of_what_was_left_the_longest_goes_on_and_the_rest_is_removed(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(breaking_off(PNG, 1000, serving({"/g": PNG})))
    task = done(f"{server.url}/g")
    with pytest.raises(mjbridge.Unavailable):
        bridge("apimart").download(task, tmp_path)
    (left,) = tmp_path.iterdir()
    left.with_name(left.name.replace(".0.", ".1.")).write_bytes(PNG[:2000])
    for name, size in ((left.name.replace(".0.", ".2."), 0), (".1.4711.139872.part", 3000)):
        left.with_name(name).write_bytes(PNG[:size])
    (path,) = bridge("apimart").download(task, tmp_path)
    assert path.read_bytes() == PNG
    assert names(tmp_path) == ["1.png"]
    assert b"Range: bytes=2000-" in server.requests[-1]


def test_what_was_left_without_a_mark_is_removed(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    """Nobody knows what it is the beginning of."""
    server = scripted(serving({"/g": PNG}, {"X-Tag": "none"}))
    (tmp_path / ".1.unmarked.0.part").write_bytes(PNG[:8] + bytes(2000))
    (path,) = bridge("apimart").download(done(f"{server.url}/g"), tmp_path)
    assert path.read_bytes() == PNG
    assert names(tmp_path) == ["1.png"]
    assert b"Range" not in server.requests[0]


def test_what_another_thread_is_at_is_not_taken_for_left(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    """The first sends a half and waits; the second comes, goes its own way, and is done before the first."""
    begun, half, whole = threading.Event(), threading.Event(), threading.Event()
    then = serving({"/g": PNG})

    def handle(connection: Connection) -> None:
        if begun.is_set():
            then(connection)
            return
        begun.set()
        connection.request()
        sent = reply(PNG, headers=TAG)
        connection.send(sent[:100_000])
        whole.wait(PATIENCE)
        connection.send(sent[100_000:])

    server = scripted(handle)
    opened, task = bridge("apimart"), done(f"{server.url}/g")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(opened.download, task, tmp_path, on_progress=lambda _: half.set())
        assert half.wait(PATIENCE)
        try:
            (path,) = opened.download(task, tmp_path)
        finally:
            whole.set()
        assert first.result(PATIENCE) == [path]
    assert path.read_bytes() == PNG
    assert names(tmp_path) == ["1.png"]
    assert not any(b"Range" in request for request in server.requests)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"one"'}])
def test_what_nobody_can_go_on_with_is_not_kept(
    headers: dict[str, str], scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(breaking_off(PNG, 1000, serving({}), headers))
    with pytest.raises(mjbridge.Unavailable):
        bridge("apimart").download(done(f"{server.url}/g"), tmp_path)
    assert names(tmp_path) == []


def test_a_file_of_which_nothing_came_leaves_nothing(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    server = scripted(breaking_off(PNG, 0, serving({"/g": PNG})))
    with pytest.raises(mjbridge.Unavailable, match="broke off after 0"):
        bridge("apimart").download(done(f"{server.url}/g"), tmp_path)
    assert names(tmp_path) == []


def test_a_file_that_was_all_there_but_for_its_name_is_fetched_anew(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(breaking_off(PNG + b"more", len(PNG), serving({"/g": PNG})))
    task = done(f"{server.url}/g")
    with pytest.raises(mjbridge.Unavailable) as caught:
        bridge("apimart").download(task, tmp_path)
    assert (caught.value.account, caught.value.provider, caught.value.operation) == ("a", "apimart", "download")
    (path,) = bridge("apimart").download(task, tmp_path)
    assert path.read_bytes() == PNG


@pytest.mark.parametrize("interrupted", ["1.png", "1_1.png"])
def test_an_interrupt_stops_the_others_and_leaves_no_half_file(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path, interrupted: str
) -> None:
    def endless(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + PNG)
        connection.drip(bytes(1000), 500, 0.01)

    def interrupt(progress: Progress) -> None:
        if progress.name == interrupted:
            raise KeyboardInterrupt

    url = scripted(endless).url
    with pytest.raises(KeyboardInterrupt):
        bridge().download(done(f"{url}/g", image_urls=(f"{url}/1",)), tmp_path, on_progress=interrupt)
    assert names(tmp_path) == []
