"""Where no link of a vendor may lead: into the network at home, by whatever way."""

import ipaddress
import socket
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mjbridge
from mjbridge.transport import links
from tests.exchanges import OpenBridge, StartServer
from tests.files import PNG, done, names, serving
from tests.servers import Connection, answering, certified, reply

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
    authority, context = certified(tmp_path)

    def secure(connection: Connection) -> None:
        connection.start_tls(context)
        serving({"/g": PNG})(connection)

    url = scripted(secure).url.replace("http://", "https://")
    opened = bridge("apimart", verify=authority)
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
