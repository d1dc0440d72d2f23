"""Finished files on disk, over real sockets: what is saved, what is gone on with, and where no link may lead."""

import io
import ipaddress
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

import mjbridge
from mjbridge import Bridge, Status, Task, pictures, plugins
from mjbridge.downloads import Progress
from mjbridge.emulator import Emulator, application
from mjbridge.emulator import pictures as emulated
from mjbridge.transport import links
from tests.exchanges import PATIENT
from tests.processes import PATIENCE
from tests.servers import Connection, Handler, Scripted, answering, reply
from tests.test_connections import CERTIFICATE

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

KEY: Final = "sk-secret-0123456789"
PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1000
MP4: Final = b"\x00\x00\x00\x20ftypisom" + bytes(range(256)) * 1000
TAG: Final = {"ETag": '"one"'}

StartServer = Callable[[Handler], Scripted]
OpenBridge = Callable[..., Bridge]


@pytest.fixture
def bridge() -> Iterator[OpenBridge]:
    """A bridge with one account, `a`, of this very machine."""
    with ExitStack() as stack:

        def build(provider: str = "mjproxy", url: str = "http://127.0.0.1:9", **settings: Any) -> Bridge:
            account = {"provider": provider, "base_url": url, "api_key": KEY, **PATIENT}
            return stack.enter_context(Bridge({"accounts": {"a": account | settings}}))

        yield build


def done(url: str | None = None, **fields: Any) -> Task:
    return Task(id=fields.pop("id", "1"), account="a", status=Status.COMPLETED, image_url=url, **fields)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def serving(files: dict[str, bytes], headers: dict[str, str] = TAG) -> Handler:
    """A server of files that can go on from a byte, where it has a tag to tell what."""

    def handle(connection: Connection) -> None:
        while request := connection.request():
            content = files.get(request.split(b" ")[1].decode())
            wanted = re.search(rb"Range: bytes=(\d+)-", request)
            if content is None:
                connection.send(reply(b"gone", 404))
            elif wanted and int(wanted[1]) >= len(content):
                connection.send(reply(b"", 416))
            elif wanted and headers:
                start = int(wanted[1])
                told = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}", **headers}
                connection.send(reply(content[start:], 206, told))
            else:
                connection.send(reply(content, headers=headers))

    return handle


def breaking_off(content: bytes, after: int, then: Handler, headers: dict[str, str] = TAG) -> Handler:
    """The first connection ends in the middle of the file; the others are `then`'s."""
    broken = threading.Event()

    def handle(connection: Connection) -> None:
        if broken.is_set():
            then(connection)
            return
        broken.set()
        connection.request()
        connection.send(reply(content, headers=headers)[: after - len(content)])

    return handle


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
    (path,) = bridge().download(done(video_urls=(f"{url}/v",)), tmp_path)
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


# What broke off.


def test_a_file_that_broke_off_goes_on_where_it_stopped(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(breaking_off(PNG, 1000, serving({"/g": PNG})))
    task = done(f"{server.url}/g")
    with pytest.raises(mjbridge.Unavailable, match="broke off"):
        bridge("apimart").download(task, tmp_path)
    (left,) = names(tmp_path)
    assert re.fullmatch(r"\.1\.[0-9a-f]{16}\.part", left)
    (path,) = bridge("apimart").download(task, tmp_path)
    assert path.read_bytes() == PNG
    assert names(tmp_path) == ["1.png"]
    assert b"Range: bytes=1000-" in server.requests[-1]


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        pytest.param({"ETag": '"two"'}, PNG + b"!", id="the content has changed"),
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


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"one"'}])
def test_what_nobody_can_go_on_with_is_not_kept(
    headers: dict[str, str], scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(breaking_off(PNG, 1000, serving({}), headers))
    with pytest.raises(mjbridge.Unavailable):
        bridge("apimart").download(done(f"{server.url}/g"), tmp_path)
    assert names(tmp_path) == []


def test_a_file_that_was_all_there_but_for_its_name_is_fetched_anew(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(breaking_off(PNG + b"more", len(PNG), serving({"/g": PNG})))
    task = done(f"{server.url}/g")
    with pytest.raises(mjbridge.Unavailable):
        bridge("apimart").download(task, tmp_path)
    (path,) = bridge("apimart").download(task, tmp_path)
    assert path.read_bytes() == PNG


def test_an_interrupt_stops_the_others_and_leaves_no_half_file(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    def endless(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + PNG)
        connection.drip(bytes(1000), 10**6, 0.01)

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    url = scripted(endless).url
    with pytest.raises(KeyboardInterrupt):
        bridge().download(done(f"{url}/g", image_urls=(f"{url}/1",)), tmp_path, on_progress=interrupt)
    assert names(tmp_path) == []


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


def test_a_task_of_a_million_pictures_is_refused(bridge: OpenBridge, tmp_path: Path) -> None:
    with pytest.raises(mjbridge.MalformedReply, match="1000000 files"):
        bridge().download(done(image_urls=("http://127.0.0.1:9/1",) * 10**6), tmp_path)


# Where no link may lead.


PRIVATE: Final = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "localhost",
    "0.0.0.0",  # noqa: S104 nobody binds to it here
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
)


@pytest.mark.parametrize("host", PRIVATE)
def test_a_link_into_the_network_at_home_is_not_followed(
    host: str, bridge: OpenBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def connect(_: socket.socket, address: object) -> None:
        tried.append(address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    public = bridge("apimart", "http://93.184.215.14")
    with pytest.raises(mjbridge.Unavailable, match="not public"):
        public.download(done(f"http://{host}:8080/g.png"), tmp_path)
    assert tried == []


def test_nor_by_a_redirect(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    """The account is at home on 127.0.0.1, and nowhere else."""
    server = scripted(answering(reply(b"", 302, {"Location": "http://169.254.169.254/latest/meta-data/"})))
    with pytest.raises(mjbridge.Unavailable, match="not public"):
        bridge("apimart").download(done(f"{server.url}/g"), tmp_path)


def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """`evil.example` leads to the answers in turn."""
    asked: list[str] = []
    resolve = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "evil.example":
            return resolve(host, *arguments, **options)
        asked.append(host)
        return resolve(answers[len(asked) - 1], *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


def test_nor_by_a_name(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = scripted(serving({"/g": PNG}))
    _resolving(monkeypatch, "127.0.0.1")
    public = bridge("apimart", "http://93.184.215.14")
    with pytest.raises(mjbridge.Unavailable, match="not public"):
        public.download(done(server.url.replace("127.0.0.1", "evil.example") + "/g"), tmp_path)
    assert server.connections == []


def test_nor_by_a_name_that_leads_elsewhere_once_it_was_looked_at(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was looked at is the one connected to; the name is asked for once."""
    server = scripted(serving({"/g": PNG}))
    asked = _resolving(monkeypatch, "127.0.0.1", "127.0.0.2")
    url = server.url.replace("127.0.0.1", "evil.example")
    (path,) = bridge("apimart").download(done(f"{url}/g"), tmp_path)
    assert path.read_bytes() == PNG
    assert asked == ["evil.example"]
    assert f"\r\nHost: {url.removeprefix('http://')}\r\n".encode() in server.requests[0]


def test_the_certificate_must_be_the_name_s_own(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it is the address that is connected to: the server's certificate is good for that alone."""
    authority = tmp_path / "ca.pem"
    authority.write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)

    def secure(connection: Connection) -> None:
        connection.start_tls(context)
        serving({"/g": PNG})(connection)

    url = scripted(secure).url.replace("http://", "https://")
    opened = bridge("apimart", verify=str(authority))
    opened.download(done(f"{url}/g"), tmp_path / "out")
    _resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(mjbridge.Unavailable, match="SSL"):
        opened.download(done(f"{url.replace('127.0.0.1', 'evil.example')}/g", id="2"), tmp_path / "out")
    assert names(tmp_path / "out") == ["1.png"]


def test_through_a_proxy_a_name_is_the_proxy_s_affair_and_an_address_is_not(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    proxy = scripted(answering(reply(PNG)))
    opened = bridge("apimart", "http://93.184.215.14", proxy=proxy.url)
    opened.download(done("http://cdn.invalid/g"), tmp_path)
    assert proxy.requests[0].startswith(b"GET http://cdn.invalid/g ")
    for host in ("169.254.169.254", "localhost", "LOCALHOST", "127.1", "0x7f.1", "2130706433", "[::1]"):
        with pytest.raises(mjbridge.Unavailable, match="not public"):
            opened.download(done(f"http://{host}/g", id="2"), tmp_path)
    assert len(proxy.requests) == 1


@given(st.ip_addresses())
def test_no_address_of_a_network_at_home_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_loopback or address.is_private or address.is_link_local or address.is_multicast:
        assert not links.is_public(str(address))
    if isinstance(address, ipaddress.IPv4Address):
        inside = {
            f"::ffff:{address}",
            str(ipaddress.IPv6Address(int(ipaddress.ip_address("64:ff9b::")) + int(address))),
        }
        assert {links.is_public(each) for each in inside} == {links.is_public(str(address))}


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_the_internet_is_public(address: str) -> None:
    assert links.is_public(address)


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


def test_without_a_proxy_a_dead_link_is_the_error_it_is(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(serving({}))
    with pytest.raises(mjbridge.Unavailable, match=r"no picture at 127\.0\.0\.1"):
        bridge("apimart").download(done(f"{server.url}/gone"), tmp_path)
    assert names(tmp_path) == []


# Singles.


def _image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def _same(one: bytes, other: bytes) -> bool:
    return ImageChops.difference(_image(one), _image(other)).getbbox() is None


def test_a_grid_is_cut_into_its_four_singles() -> None:
    tiles = pictures.cut(emulated.grid("pig"))
    assert [_same(tile, emulated.single("pig", number)) for number, tile in enumerate(tiles, 1)] == [True] * 4


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_grid_of_any_format_and_an_odd_size_is_cut_in_equal_parts(form: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (1025, 769), "teal").save(file, form)
    assert [_image(tile).size for tile in pictures.cut(file.getvalue())] == [(512, 384)] * 4


def test_what_cannot_be_cut_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = io.BytesIO()
    Image.new("1", (9000, 9000)).save(bomb, "PNG")
    dot = io.BytesIO()
    Image.new("RGB", (1, 1)).save(dot, "PNG")
    for content in (b"", b"<html>", PNG, emulated.grid("pig")[:2000], bomb.getvalue(), dot.getvalue()):
        with pytest.raises(mjbridge.MalformedReply):
            pictures.cut(content)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(mjbridge.ConfigError, match=re.escape("mjbridge[pictures]")):
        pictures.cut(PNG)


def test_singles_are_cut_where_the_vendor_gives_only_the_grid(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(serving({"/g": emulated.grid("pig")}))
    task = done(f"{server.url}/g", action="imagine")
    assert len(bridge().download(task, tmp_path)) == 1
    paths = bridge().download(task, tmp_path, singles=True)
    assert [path.name for path in paths] == ["1.png", "1_1.png", "1_2.png", "1_3.png", "1_4.png"]
    assert _same(paths[3].read_bytes(), emulated.single("pig", 3))
    assert len(server.requests) == 1
    assert names(tmp_path) == [path.name for path in paths]


def test_a_single_whose_link_is_dead_is_cut_where_it_is_known_which(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    """Of fewer than four links moderation has dropped some: the second need not be the second of the grid."""
    url = scripted(serving({"/g": emulated.grid("pig"), "/1": PNG, "/4": PNG})).url
    links_of_four = tuple(f"{url}/{number}" for number in range(1, 5))
    paths = bridge().download(done(f"{url}/g", image_urls=links_of_four, action="blend"), tmp_path, singles=True)
    assert [path.name for path in paths] == ["1.png", "1_1.png", "1_2.png", "1_3.png", "1_4.png"]
    assert paths[1].read_bytes() == PNG
    assert _same(paths[2].read_bytes(), emulated.single("pig", 2))
    with pytest.raises(mjbridge.Unavailable):
        bridge().download(
            done(f"{url}/g", id="2", image_urls=links_of_four[:2], action="blend"), tmp_path, singles=True
        )


def test_a_single_picture_is_not_cut(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    url = scripted(serving({"/g": emulated.grid("pig")})).url
    zoom = mjbridge.Button("MJ::JOB::upsample_v7_2x_subtle::1::hash::SOLO", "Upscale (Subtle)")
    for number, task in enumerate([done(f"{url}/g", action="upscale"), done(f"{url}/g", buttons=(zoom,))]):
        assert len(bridge().download(task, tmp_path / str(number), singles=True)) == 1


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
