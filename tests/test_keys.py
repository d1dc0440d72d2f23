"""Where keys stand: the configuration itself, the environment, files, the keyring; and files that others can read."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from mjbridge import Bridge, ConfigError, config, keys
from tests.configurations import ACCOUNT, open_account, with_account
from tests.exchanges import PROVIDERS

KEY = "sk-kept-0123456789abcdef"


# In the configuration, the environment or a file.


def test_a_key_is_read_from_the_environment_a_file_or_the_place_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_KEY", KEY)
    path = tmp_path / "key.txt"
    path.write_text(f"{KEY}\n")
    for written in ("env:OWN_KEY", f"file:{path}", KEY, f"  {KEY}\n"):
        assert keys.secret(written) == KEY
    assert keys.secret("sk:with:colons") == "sk:with:colons"
    assert keys.secret(None) == keys.secret("") == ""


@pytest.mark.parametrize("written", ["$OWN_KEY", "${OWN_KEY}", " $OWN_KEY\n"])
def test_a_variable_as_a_shell_writes_it_is_no_key_and_the_way_to_name_one_is_told(written: str) -> None:
    """It was sent to the vendor as it stands there, who said 401."""
    with pytest.raises(ConfigError, match=r"api_key is \$.*which nothing fills in: write env:OWN_KEY$"):
        keys.secret(written)
    assert keys.secret("$2b$12$ab") == "$2b$12$ab"


def test_a_key_file_may_stand_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "key.txt").write_text(KEY)
    assert keys.secret("file:~/key.txt") == KEY


@pytest.mark.parametrize("name", ["~nobody-of-that-name/key.txt", "key\0.txt"])
def test_a_key_file_that_cannot_be_anywhere_is_named_too(name: str) -> None:
    with pytest.raises(ConfigError, match="which cannot be read"):
        open_account(base_url="http://127.0.0.1:9", api_key=f"file:{name}")


def test_a_mark_of_its_encoding_may_begin_a_file(tmp_path: Path) -> None:
    """As Notepad writes it."""
    path, key = tmp_path / "own.toml", tmp_path / "key.txt"
    key.write_text(KEY, encoding="utf-8-sig")
    path.write_text('[accounts.main]\nprovider = "cometapi"\napi_key = "file:key.txt"\n', encoding="utf-8-sig")
    with Bridge(path) as bridge:
        bridge.account("main")


def test_a_key_is_asked_for_under_a_name_that_a_variable_may_have() -> None:
    assert keys.example("my relay 中") == "env:MY_RELAY___KEY"


def test_a_missing_variable_is_named_with_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    for value in (None, ""):
        if value is not None:
            monkeypatch.setenv("NO_SUCH_KEY", value)
        with pytest.raises(ConfigError, match=r"main: .*NO_SUCH_KEY.*not set"):
            open_account(base_url="http://127.0.0.1:9", api_key="env:NO_SUCH_KEY")


def test_a_missing_variable_is_no_matter_until_its_account_is_used() -> None:
    broken = {"provider": "cometapi", "api_key": "env:NO_SUCH_KEY"}
    bridge = Bridge({"accounts": {"main": ACCOUNT, "broken": broken}, "routes": {"default": ["main", "broken"]}})
    assert bridge.imagine("a lighthouse").account == "main"
    with pytest.raises(ConfigError, match="NO_SUCH_KEY"):
        bridge.fetch("broken:1")


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_a_key_file_that_cannot_be_read_is_named_with_the_account(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "key.txt"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(ConfigError) as caught:
        open_account(base_url="http://127.0.0.1:9", api_key=f"file:{path}")
    assert "main: " in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("between", ["\n", "\r\n", " ", "\t", "\x7f", "\N{NO-BREAK SPACE}", "ü", "\u2028"])
@pytest.mark.parametrize("kind", ["plain", "env", "file"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_echoed(
    kind: str, between: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = f"{KEY}{between}second"
    if kind == "env":
        monkeypatch.setenv("OWN_KEY", wrong)
    path = tmp_path / "key.txt"
    path.write_text(wrong, encoding="utf-8")
    written = {"plain": wrong, "env": "env:OWN_KEY", "file": f"file:{path}"}[kind]
    with pytest.raises(ConfigError) as caught:
        open_account(base_url="http://127.0.0.1:9", api_key=written)
    assert "main: " in str(caught.value)
    assert "second" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert KEY not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize("prefix", ["env:", "file:"])
def test_a_prefix_without_a_name_is_no_key(prefix: str) -> None:
    with pytest.raises(ConfigError):
        keys.secret(prefix)


def test_white_space_around_where_a_key_is_makes_no_key_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be sent to the vendor, as the words that name the variable."""
    monkeypatch.setenv("OWN_KEY", KEY)
    assert (keys.secret(" env:OWN_KEY "), keys.kind("\tenv:OWN_KEY"), keys.kind(" \n")) == (KEY, "env", "")


def test_the_place_of_a_journal_may_be_kept_like_a_key_and_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path may hold what no header can carry, and what is missing is not told of as a key."""
    place = tmp_path / "meine Aufträge.db"
    monkeypatch.setenv("OWN_PLACE", str(place))
    with Bridge({"journal": "env:OWN_PLACE"}) as bridge:
        assert bridge.journal is not None
        assert list(bridge.journal.all()) == []
    assert place.exists()
    for written, told in (("env:NO_SUCH", "journal is env:NO_SUCH"), ("file:", "journal is 'file:'"), ("", "empty")):
        with pytest.raises(ConfigError, match=told):
            Bridge({"journal": written})
    with pytest.raises(ConfigError, match="journal is empty"):
        Bridge({}, journal="")


def test_a_provider_that_needs_a_key_says_how_to_give_one() -> None:
    for provider in ("apimart", "cometapi", "octopusx"):
        for key in (None, "", "  "):
            with pytest.raises(ConfigError, match=r"main: .*api_key = \"env:MAIN_KEY\""):
                Bridge({"accounts": {"main": {"provider": provider, "api_key": key}}}).account("main")


def test_an_emulated_account_needs_no_key_and_does_not_look_for_one() -> None:
    for provider in PROVIDERS:
        for key in (None, "env:NO_SUCH_KEY", "file:/no/such/file"):
            account = {"provider": provider, "base_url": "emulator:", "api_key": key}
            task = Bridge({"accounts": {"main": account}}).imagine("a lighthouse")
            assert (task.provider, task.account) == (provider, "main")


def test_a_key_does_not_show_in_what_a_configuration_prints() -> None:
    loaded = config.load(with_account(api_key=KEY, headers={"X-Api-Key": KEY}))
    assert KEY not in f"{loaded} {loaded!r} {loaded.accounts['main']!r} {Bridge(loaded).account('main')!r}"


# In the keyring.


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
