"""What settings must come to before they can be used: an account's provider, key, base URL and proxy; the journal."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mjbridge import keys, plugins
from mjbridge.config import AccountSettings, without_password
from mjbridge.errors import ConfigError
from mjbridge.provider import Provider
from mjbridge.wire import is_http

if TYPE_CHECKING:
    from mjbridge.journal import Journal

_PROXIES: Final = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def provider(settings: AccountSettings) -> Provider:
    """The account's provider, with its options. `PluginError` if there is none, `ConfigError` for wrong options."""
    return plugins.new(plugins.load(settings.provider), settings.options)


def key(settings: AccountSettings, provider: type[Provider], account: str) -> str:
    """The account's key, `""` where none is needed; `ConfigError` if it cannot be had."""
    if settings.emulated:
        return ""
    found = keys.secret(settings.api_key)
    if provider.needs_key and not found:
        raise ConfigError(f'{provider.name} needs an api_key, as in api_key = "{keys.example(account)}"')
    return found


def base_url(settings: AccountSettings, provider: type[Provider]) -> str:
    """Where the account's vendor is; `ConfigError` if nobody says."""
    found = settings.base_url or provider.base_url
    if found is None:
        raise ConfigError(f"{provider.name} has no vendor of its own: base_url must say where it runs")
    if not found.isprintable() or not (settings.emulated or is_http(found)):
        shown = without_password(found)
        raise ConfigError(f"base_url {shown!r} is not http:// or https:// before a host and, maybe, a port and a path")
    if not settings.emulated and ("?" in found or "#" in found):
        # What stands there may be a key.
        raise ConfigError("base_url holds a ? or a #, and paths are put behind it: a key belongs in api_key or headers")
    return found


def proxy(settings: AccountSettings) -> str | None:
    """The account's proxy, None for none; `ConfigError` where it is no address or speaks what needs an extra."""
    if settings.proxy is None:
        return None
    scheme, _, rest = settings.proxy.partition("://")
    if scheme.lower() not in _PROXIES or not is_http(f"http://{rest}"):
        shown = without_password(settings.proxy)
        raise ConfigError(f"proxy {shown!r} is not scheme://host:port, with one of the schemes {', '.join(_PROXIES)}")
    if scheme.lower().startswith("socks") and not _is_there("socks"):
        raise ConfigError(f"proxy: {scheme} needs PySocks: pip install 'requests[socks]'")
    return settings.proxy


def _is_there(module: str) -> bool:
    from importlib.util import find_spec  # noqa: PLC0415 only a SOCKS proxy asks: `import mjbridge` has a budget of modules

    return find_spec(module) is not None


def journal(place: "Journal | str | Path | None") -> "Journal | None":
    """The journal at a path or SQL URL, which may be kept like a key. `ConfigError` for neither; nothing is opened."""
    if place is None or not isinstance(place, str | Path):
        return place
    try:
        from mjbridge.journal import Journal  # noqa: PLC0415 an extra, needed only by who keeps a journal
    except ImportError:
        raise ConfigError("journal needs an extra: pip install 'mjbridge[sql]'") from None
    found = keys.behind(str(place), "journal")
    if not found:
        raise ConfigError("journal is empty: name a file or an SQL URL, or leave it out")
    return Journal(found)
