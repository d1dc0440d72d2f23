"""What an account's settings must come to before it can be used: a provider, a key, a base URL."""

from mjbridge import keys, plugins
from mjbridge.config import AccountSettings
from mjbridge.errors import ConfigError
from mjbridge.provider import Provider
from mjbridge.wire import is_http


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
        raise ConfigError(f"base_url {found!r} does not begin with http:// or https:// and a host")
    return found
