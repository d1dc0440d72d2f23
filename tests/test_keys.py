"""Where keys stand: the keyring, and files that others can read."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from mjbridge import Bridge, ConfigError, config, keys

KEY = "sk-kept-0123456789abcdef"


class Drawer(KeyringBackend):
    """A keyring that ends with the test."""

    def __init__(self, kept: dict[tuple[str, str], str], *, locked: bool = False) -> None:
        self.kept = kept
        self.locked = locked

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked(KEY)
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    before = keyring.get_keyring()
    kept = Drawer({("mjbridge", "me"): KEY, ("https://api.example/v1", "me"): f"{KEY}2"})
    keyring.set_keyring(kept)
    yield kept
    keyring.set_keyring(before)


def test_a_key_is_read_from_the_keyring(drawer: Drawer) -> None:
    assert keys.secret("keyring:mjbridge/me") == KEY
    assert keys.secret("keyring:https://api.example/v1/me") == f"{KEY}2"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("keyring:mjbridge/you", r"keyring:mjbridge/you.*keyring set mjbridge you"),
        ("keyring:mjbridge", r"keyring:SERVICE/USER"),
        ("keyring:", r"without a name"),
    ],
)
def test_a_key_that_the_keyring_does_not_hold_is_named(drawer: Drawer, written: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        keys.secret(written)


def test_a_locked_keyring_is_named_and_its_words_are_not_echoed(drawer: Drawer) -> None:
    drawer.locked = True
    with pytest.raises(ConfigError, match="KeyringLocked") as caught:
        keys.secret("keyring:mjbridge/me")
    assert KEY not in str(caught.value)


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"pip install 'mjbridge\[keyring\]'"):
        keys.secret("keyring:mjbridge/me")


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("env:A", "env"),
        ("file:a", "file"),
        ("keyring:a/b", "keyring"),
        ("sk:x", "plain"),
        ("sk", "plain"),
        (" ", ""),
        (None, ""),
    ],
)
def test_how_a_key_is_written(written: str | None, kind: str) -> None:
    assert keys.kind(written) == kind


def _configured(folder: Path, api_key: str, mode: int) -> Path:
    path = folder / "mjbridge.toml"
    path.write_text(f'[accounts.main]\nprovider = "mjproxy"\nbase_url = "emulator:"\napi_key = "{api_key}"\n')
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_plain_key_in_a_file_that_others_can_read_is_warned_of(
    mode: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _configured(tmp_path, KEY, mode)
    Bridge(path)
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert all(word in said.getMessage() for word in (str(path), "accounts.main", "chmod 600", "env:MAIN_KEY"))
    assert KEY not in said.getMessage()


@pytest.mark.parametrize(("api_key", "mode"), [(KEY, 0o600), ("env:MAIN_KEY", 0o644), ("", 0o644)])
def test_a_key_that_others_cannot_read_is_not_warned_of(
    api_key: str, mode: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config.load(_configured(tmp_path, api_key, mode))
    assert caplog.records == []
