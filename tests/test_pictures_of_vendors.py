"""Pictures behind public addresses: bounded, and asked for without the key."""

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from mjbridge import (
    Bridge,
    MalformedReply,
    Status,
    Task,
    Unavailable,
)
from tests.exchanges import HTML, KEY, PNG, REF, SELF_HOSTED, OpenBridge, StartServer, failure, fetch, task_reply
from tests.servers import Connection, Handler, answering, reply

# Pictures.


def chain(base_url: Callable[[], str] = str) -> Handler:
    """Answers `/3` with a redirect to `/2` (behind a base URL, if one is given), and so on; `/0` is the picture."""

    def handle(connection: Connection) -> None:
        while request := connection.request():
            left = int(request.split(b" ")[1].lstrip(b"/"))
            connection.send(reply(b"", 302, {"Location": f"{base_url()}/{left - 1}"}) if left else reply(PNG))

    return handle


def test_a_picture_is_read_without_the_key_or_the_headers_of_the_account(
    provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    pictures = scripted(chain(lambda: pictures.url))
    start = scripted(answering(reply(b"", 301, {"Location": f"{pictures.url}/2"})))
    opened = bridge(provider, SELF_HOSTED, headers={"X-Account": "secret of the account"})
    assert opened.account("a").picture(f"{start.url}/3") == PNG
    seen = b"".join([*start.requests, *pictures.requests])
    assert len(pictures.requests) == 3
    assert KEY.encode() not in seen
    assert b"secret of the account" not in seen
    assert b"authorization" not in seen.lower()


def test_the_headers_of_the_account_go_to_its_base_url(
    provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(task_reply(provider)))
    fetch(bridge(provider, server.url, headers={"X-Account": "secret of the account"}))
    assert b"\r\nX-Account: secret of the account\r\n" in server.requests[0]


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/picture.png",
        "data:image/png;base64,aaaa",
        "//127.0.0.1/picture.png",
        "/picture.png",
        "picture.png",
        "http://",
        "",
        "http://[",
        "http://[::1/picture.png",
        "http://127.0.0.1:99999/picture.png",
        "http://\x00/",
        f"http://{'a' * 64}.invalid/",
    ],
)
def test_an_address_that_is_no_http_address_is_refused(
    address: str, scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    opened = bridge("mjproxy", SELF_HOSTED)
    assert type(failure(lambda each: _picture(each, address), opened)) is Unavailable
    # It may as well be where a redirect leads, or in a task that is to be downloaded.
    start = scripted(answering(reply(b"", 302, {"Location": address.replace("\x00", "%00")})))
    failure(lambda each: _picture(each, f"{start.url}/1"), opened)
    if address:
        task = Task(id="1", account="a", status=Status.COMPLETED, image_url=address)
        failure(lambda each: _download(each, task, tmp_path), opened)
        assert list(tmp_path.iterdir()) == []


def _picture(bridge: Bridge, url: str) -> Task:
    bridge.account("a").picture(url)
    return Task(id="never")


def _download(bridge: Bridge, task: Task, folder: Path) -> Task:
    bridge.download(task, folder)
    return task


def test_a_file_that_a_redirect_names_is_not_read(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    start = scripted(answering(reply(b"", 302, {"Location": secret.as_uri()})))
    error = failure(lambda each: _picture(each, f"{start.url}/1"), bridge("mjproxy", SELF_HOSTED))
    assert type(error) is Unavailable
    assert "must begin with http:// or https://" in error.message


@pytest.mark.parametrize("redirects", range(6))
def test_up_to_five_redirects_lead_to_a_picture(redirects: int, scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(chain())
    opened = bridge("mjproxy", SELF_HOSTED)
    assert opened.account("a").picture(f"{server.url}/{redirects}") == PNG
    assert len(server.requests) == redirects + 1


@pytest.mark.parametrize("start", ["/6", "/1000", "/1000000"])
def test_more_than_five_redirects_do_not(start: str, scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(chain())
    error = failure(lambda each: _picture(each, server.url + start), bridge("mjproxy", SELF_HOSTED))
    assert type(error) is Unavailable
    assert len(server.requests) <= 6


def test_a_gzip_bomb_behind_a_redirect_is_not_unpacked(scripted: StartServer, bridge: OpenBridge) -> None:
    bomb = gzip.compress(bytes(2**23)) * 32
    server = scripted(answering(reply(bomb, 302, {"Content-Encoding": "gzip", "Location": "/0"}), reply(PNG)))
    account = bridge("apimart", SELF_HOSTED).account("a")
    tracemalloc.start()
    try:
        assert account.picture(f"{server.url}/1") == PNG
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**23


def test_a_redirect_in_a_circle_is_left(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(answering(reply(b"", 302, {"Location": "/again"})))
    error = failure(lambda each: _picture(each, f"{server.url}/again"), bridge("mjproxy", SELF_HOSTED))
    assert type(error) is Unavailable
    assert len(server.requests) <= 6


def test_a_picture_that_does_not_end_is_left(scripted: StartServer, bridge: OpenBridge) -> None:
    def flood(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.drip(bytes(2**20), 2**8)

    server = scripted(flood)
    error = failure(lambda each: _picture(each, f"{server.url}/1"), bridge("mjproxy", SELF_HOSTED))
    assert type(error) is MalformedReply
    assert server.connections[0].sent < 2**27


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_picture_that_is_gone_is_unavailable(status: int, scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(answering(reply(HTML, status)))
    error = failure(lambda each: _picture(each, f"{server.url}/1"), bridge("mjproxy", SELF_HOSTED))
    assert type(error) is Unavailable
    assert (error.http_status, error.account, error.operation) == (status, "a", "download")


# The vendor's own image proxy, which may answer with the picture or with where it is.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_the_image_proxy_leads_to_the_picture_without_the_key(
    status: int, scripted: StartServer, bridge: OpenBridge
) -> None:
    pictures = scripted(chain())
    vendor = scripted(answering(reply(b"", status, {"Location": f"{pictures.url}/2"})))
    assert bridge("octopusx", vendor.url, headers={"X-Account": "secret of the account"}).image(REF) == PNG
    assert KEY.encode() in vendor.requests[0]
    assert len(pictures.requests) == 3
    seen = b"".join(pictures.requests)
    assert KEY.encode() not in seen
    assert b"secret of the account" not in seen


def test_a_redirect_of_the_image_proxy_may_be_relative(scripted: StartServer, bridge: OpenBridge) -> None:
    vendor = scripted(answering(reply(b"", 302, {"Location": "../../files/1.png"}), reply(PNG)))
    assert bridge("octopusx", f"{vendor.url}/behind").image(REF) == PNG
    assert vendor.requests[1].startswith(b"GET /behind/files/1.png ")
    assert KEY.encode() not in vendor.requests[1]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://169.254.169.254/latest/meta-data/", "not public"),
        ("file:///etc/passwd", "must begin with http"),
        ("ftp://127.0.0.1/1.png", "must begin with http"),
    ],
)
def test_a_redirect_of_the_image_proxy_leads_nowhere_else(
    location: str, words: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    vendor = scripted(answering(reply(b"", 302, {"Location": location})))
    with pytest.raises(Unavailable, match=words) as caught:
        bridge("octopusx", vendor.url).account("a").image(REF.partition(":")[2])
    assert (caught.value.account, caught.value.operation) == ("a", "image")
    assert len(vendor.requests) == 1


def test_a_page_behind_a_redirect_of_the_image_proxy_is_no_picture(scripted: StartServer, bridge: OpenBridge) -> None:
    pages = scripted(answering(reply(HTML)))
    vendor = scripted(answering(reply(b"", 302, {"Location": f"{pages.url}/login"})))
    with pytest.raises(MalformedReply, match="no PNG"):
        bridge("octopusx", vendor.url).image(REF)
