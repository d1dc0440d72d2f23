"""Which bridge a command line talks to. Emulated accounts remember their tasks, so that the next command finds them."""

from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from mjbridge import config as configuration
from mjbridge.bridge import Bridge
from mjbridge.config import EMULATOR, AccountSettings, Config

EMULATED: Final = "emulated-"
"""An account whose name begins so needs no configuration: the rest of the name is the provider."""


def open_bridge(config_file: str | None, account: str | None) -> Bridge:
    """A bridge for one command; `account` is the account or route it will use, if that is known."""
    if account and account.startswith(EMULATED):
        provider = account.removeprefix(EMULATED)
        config = Config(accounts={account: AccountSettings(provider=provider, base_url=EMULATOR)})
    else:
        config = configuration.load(config_file)
    remembering = {name: _remembering(name, settings) for name, settings in config.accounts.items()}
    return Bridge(msgspec.structs.replace(config, accounts=remembering))


def _remembering(name: str, settings: AccountSettings) -> AccountSettings:
    if settings.base_url != EMULATOR:
        return settings
    folder = Path(platformdirs.user_state_path("mjbridge")) / "emulator" / _file_name(name)
    return msgspec.structs.replace(settings, base_url=f"{EMULATOR}{folder}")


def _file_name(name: str) -> str:
    return "".join(character if character.isalnum() or character in "-_" else "_" for character in name)
