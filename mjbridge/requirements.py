"""What settings must come to before they can be used: an account's provider, key and base URL; the journal."""

from pathlib import Path
from typing import TYPE_CHECKING

from mjbridge import keys, plugins
from mjbridge.config import AccountSettings, without_password
from mjbridge.errors import ConfigError
from mjbridge.provider import Provider
from mjbridge.wire import is_http

if TYPE_CHECKING:
    from mjbridge.journal import Journal


def provider(settings: AccountSettings) -> Provider:
    """The account's provider, with its options. `PluginError` if there is none, `ConfigError` for wrong options."""
    return plugins.load(settings.provider)(settings.options)


def key(settings: AccountSettings, provider: type[Provider], account: str) -> str:
    """The account's key, `""` where none is needed; `ConfigError` if it cannot be had."""
    if settings.emulated:
        return ""
    found = keys.secret(settings.api_key)
    if provider.needs_key and not found:
        raise ConfigError(f'{provider.name} needs an api_key, as in api_key = "env:{account.upper()}_KEY"')
    return found


def base_url(settings: AccountSettings, provider: type[Provider]) -> str:
    """Where the account's vendor is; `ConfigError` if nobody says."""
    found = settings.base_url or provider.base_url
    if found is None:
        raise ConfigError(f"{provider.name} has no vendor of its own: base_url must say where it runs")
    if not settings.emulated and not is_http(found):
        raise ConfigError(f"base_url {without_password(found)!r} does not begin with http:// or https:// and a host")
    return found


def journal(place: "Journal | str | Path | None") -> "Journal | None":
    """The journal at a path or SQL URL, which may be kept like a key. `ConfigError` for neither; nothing is opened."""
    if place is None or not isinstance(place, str | Path):
        return place
    try:
        from mjbridge.journal import Journal  # noqa: PLC0415 an extra, needed only by who keeps a journal
    except ImportError:
        raise ConfigError("journal needs an extra: pip install 'mjbridge[sql]'") from None
    written = str(place)
    return Journal(written if keys.kind(written) == keys.PLAIN else keys.secret(written))
