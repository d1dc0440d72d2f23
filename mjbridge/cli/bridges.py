"""Which bridge a command line talks to. Emulated accounts remember their tasks, so that the next command finds them."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from mjbridge import config as configuration
from mjbridge.bridge import Bridge
from mjbridge.commands import check_ref
from mjbridge.config import EMULATOR, AccountSettings, Config
from mjbridge.errors import ConfigError

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


def open_owner(config_file: str | None, ref: str) -> Bridge:
    """A bridge for one command on the task of a ref. What is no ref is told before any configuration is looked for."""
    account, _ = check_ref(ref)
    return open_bridge(config_file, account)


def _remembering(name: str, settings: AccountSettings) -> AccountSettings:
    if settings.base_url != EMULATOR:
        return settings
    return msgspec.structs.replace(settings, base_url=f"{EMULATOR}{_memory() / file_name(name)}")


def known_refs(most: int = 50) -> list[str]:
    """The refs of the emulated tasks that the command line remembers, the latest first."""
    found = [(path.stat().st_mtime, path) for path in _memory().glob("*/[!.]*.json")]
    return [f"{path.parent.name}:{path.stem}" for _, path in sorted(found, reverse=True)[:most]]


def picture_folder(account: str) -> Path:
    """Where pictures that were only looked at are kept."""
    return _own(platformdirs.user_cache_path) / "pictures" / file_name(account)


def _memory() -> Path:
    return _own(platformdirs.user_state_path) / "emulator"


def _own(place: Callable[[str], Path]) -> Path:
    """A folder of ours in the user's home, which a user without a name, as containers have them, may lack."""
    with suppress(RuntimeError):  # older versions give a path below `~` instead
        found = place("mjbridge")
        if found.is_absolute():
            return found
    raise ConfigError("there is no home folder to keep files in: set HOME to one that can be written to")


def file_name(name: str) -> str:
    """An account's name as the name of a folder."""
    return "".join(character if character.isalnum() or character in "-_" else "_" for character in name)
