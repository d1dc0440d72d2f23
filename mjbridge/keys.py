"""Where an account's key is: behind `env:NAME`, `file:PATH` or `keyring:SERVICE/USER`, or written out."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from mjbridge import settings
from mjbridge.errors import ConfigError

PLAIN: Final = "plain"
_SHORTEST: Final = 8
_NO_WORD: Final = re.compile("[^A-Za-z0-9_]")
_AS_IN_A_SHELL: Final = re.compile(r"\$(?:([A-Z_][A-Z0-9_]*)|\{(\w+)\})")


def kind(written: str | None) -> str:
    """How an `api_key` is written: `env`, `file`, `keyring` or `plain`; `""` for none."""
    word, colon, _ = (written or "").strip().partition(":")
    if not word + colon:
        return ""
    return word if colon and word in _SOURCES else PLAIN


def example(account: str) -> str:
    """An `api_key` for an account of that name: a variable of the environment."""
    return f"env:{_NO_WORD.sub('_', account).upper()}_KEY"


def beside(folder: Path, written: str | None) -> str | None:
    """An `api_key` whose file, if it names one, counts from that folder."""
    name = (written or "").strip().removeprefix("file:")
    return f"file:{settings.path(name, folder)}" if kind(written) == "file" and name else written


def in_headers(headers: Mapping[str, str]) -> set[str]:
    """What may be a key in an account's own headers: words that are long enough to be one."""
    return {word for value in headers.values() for word in value.split() if len(word) >= _SHORTEST}


def in_addresses(*urls: str | None) -> set[str]:
    """The passwords in an account's own addresses, in each form in which they are sent."""
    return {form for url in urls if url for form in _passwords(urlsplit(url))}


def _passwords(parts: SplitResult) -> Iterator[str]:
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    # A token may stand there alone.
    yield from (password or user, parts.password or parts.username or "")
    yield b64encode(f"{user}:{password}".encode()).decode() if user else ""


def secret(written: str | None) -> str:
    """The key that an `api_key` stands for; `""` for None. `ConfigError` never shows it."""
    variable = _AS_IN_A_SHELL.fullmatch((written or "").strip())
    if variable:
        raise ConfigError(f"api_key is {variable[0]}, which nothing fills in: write env:{variable[1] or variable[2]}")
    key = behind(written, "api_key")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError("api_key holds spaces, line breaks or other characters that no header can carry")
    return key


def behind(written: str | None, setting: str) -> str:
    """What a `setting` stands for that is kept like a key, or is written out; `""` for None."""
    told = (written or "").strip()
    source, name = _SOURCES.get(kind(told)), told.partition(":")[2]
    if source and not name:
        raise ConfigError(f"{setting} is {told!r} without a name behind it")
    return source(name, setting).strip() if source else told


def _from_environment(name: str, setting: str) -> str:
    if not os.environ.get(name):
        raise ConfigError(f"{setting} is env:{name}, and that variable is not set")
    return os.environ[name]


def _from_file(name: str, setting: str) -> str:
    try:
        return settings.path(name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{setting} is file:{name}, which cannot be read: {type(error).__name__}") from None


def _from_keyring(name: str, setting: str) -> str:
    service, slash, user = name.rpartition("/")
    if not slash:
        raise ConfigError(f"{setting} is keyring:{name}, and must be keyring:SERVICE/USER")
    try:
        import keyring  # noqa: PLC0415 an extra, needed only by who keeps a key there
        from keyring.errors import KeyringError  # noqa: PLC0415 only keys that are kept in a keyring need it
    except ImportError:
        raise ConfigError(
            f"{setting} is keyring:{name}, which needs an extra: pip install 'mjbridge[keyring]'"
        ) from None
    try:
        found = keyring.get_password(service, user)
    except KeyringError as error:
        raise ConfigError(f"{setting} is keyring:{name}, which cannot be read: {type(error).__name__}") from None
    if not found:
        raise ConfigError(f"{setting} is keyring:{name}, which the keyring does not hold: keyring set {service} {user}")
    return found


_SOURCES: Final = {"env": _from_environment, "file": _from_file, "keyring": _from_keyring}
