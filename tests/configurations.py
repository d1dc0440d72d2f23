"""Configurations with one account, `main`, which is emulated where nothing else is said."""

from typing import Any, Final

from mjbridge import Bridge

ACCOUNT: Final[dict[str, Any]] = {"provider": "mjproxy", "base_url": "emulator:"}


def with_account(**settings: Any) -> dict[str, Any]:
    """The configuration."""
    return {"accounts": {"main": {**ACCOUNT, **settings}}}


def open_account(**settings: Any) -> None:
    """Go as far as a first use would; `ConfigError` for what cannot be."""
    Bridge(with_account(**settings)).account("main")
