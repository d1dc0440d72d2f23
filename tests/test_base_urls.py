"""Where a vendor is, and the proxy on the way there: what is no address is refused, and no password in it is shown."""

import pytest

from mjbridge import Bridge, ConfigError, config
from tests.configurations import open_account, with_account


def test_a_provider_without_a_vendor_of_its_own_needs_a_base_url() -> None:
    with pytest.raises(ConfigError, match=r"main: .*mjproxy.*base_url"):
        open_account(base_url=None)


@pytest.mark.parametrize(
    "base_url",
    ["localhost:8080", "//localhost:8080", "ftp://localhost", "http://", "https:///mj", "localhost", "emulator"],
)
def test_a_base_url_begins_with_http_and_a_host(base_url: str) -> None:
    with pytest.raises(ConfigError, match=r"main: .*base_url"):
        open_account(base_url=base_url)


@pytest.mark.parametrize(
    "base_url", ["http://[::1", "http://[", "http://h:99999", "http://h:0", "http://h:port", "emulator:\0"]
)
def test_a_base_url_that_is_none_at_all_is_a_mistake_too(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        open_account(base_url=base_url)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9", "HTTPS://relay.invalid/v2/", "http://[::1]:8080"])
def test_a_base_url_may_have_a_port_and_a_path(base_url: str) -> None:
    open_account(base_url=base_url)


@pytest.mark.parametrize("base_url", ["http://mj.example/?key=hunter2", "http://mj.example#hunter2"])
def test_a_base_url_that_no_path_can_follow_is_refused_and_what_may_be_a_key_not_shown(base_url: str) -> None:
    with pytest.raises(ConfigError, match="put behind it") as caught:
        open_account(base_url=base_url)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(config.load(with_account(base_url=base_url)))


@pytest.mark.parametrize("proxy", ["", "foo bar", "127.0.0.1:3128", "http://", "http://h:99999", "ftp://me:hunter2@h"])
def test_a_proxy_that_is_no_address_is_refused_and_its_password_not_shown(proxy: str) -> None:
    with pytest.raises(ConfigError, match=r"main: .*proxy") as caught:
        open_account(base_url="http://127.0.0.1:9", proxy=proxy)
    assert "hunter2" not in str(caught.value)


def test_a_proxy_that_needs_an_extra_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much of it is installed here."""

    def found(name: str) -> None:
        del name

    monkeypatch.setattr("importlib.util.find_spec", found)
    with pytest.raises(ConfigError, match=r"requests\[socks\]"):
        open_account(base_url="http://127.0.0.1:9", proxy="socks5h://127.0.0.1:1080")


def test_a_provider_with_a_vendor_of_its_own_has_its_base_url() -> None:
    assert Bridge(with_account(provider="cometapi", base_url=None, api_key="sk-1")).account("main").provider.base_url
