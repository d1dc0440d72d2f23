"""`init`, `accounts` and `check`: a configuration is written, shown, and told all that is wrong with it."""

import json
import re
import stat
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mjbridge import Bridge, check, config, plugins
from mjbridge.cli import commands, starter
from mjbridge.config import AccountSettings, Config, RouteSettings
from mjbridge.errors import MJBridgeError
from tests.servers import Connection, Handler, Scripted, answering, reply

KEY = "sk-checked-0123456789abcdef"
EMULATED = {"provider": "mjproxy", "base_url": "emulator:"}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in a folder of its own, in this process; an error of the family is raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(commands.cli, arguments, standalone_mode=False)
        if result.exception:
            raise result.exception
        return result

    return run


def _write(text: str, mode: int = 0o600) -> None:
    path = Path("mjbridge.toml")
    path.write_text(text)
    path.chmod(mode)


# init


def test_the_starter_file_works_as_it_stands_and_is_private(shell: Callable[..., Result]) -> None:
    assert "check" in shell("init").output
    assert stat.S_IMODE(Path("mjbridge.toml").stat().st_mode) == 0o600
    assert shell("check").return_value == 0
    with Bridge() as bridge:
        assert bridge.imagine("a lighthouse").account == "rehearsal"


def test_every_line_of_the_starter_file_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the # taken away it is a configuration without a mistake that names every setting and provider there is."""
    for name in ("MJBRIDGE", *(name.upper() for name in plugins.names())):
        monkeypatch.setenv(f"{name}_KEY", KEY)
    text = re.sub(r"^#(?! )", "", starter.text(), flags=re.MULTILINE)
    written = tomllib.loads(text)
    assert [problem for problem in check.problems(config.examine(written)) if problem.severity == "mistake"] == []
    assert set(written) == set(Config.__struct_fields__)
    assert set(written["routes"]["careful"]) == set(RouteSettings.__struct_fields__)
    shown = {key for account in written["accounts"].values() for key in account}
    assert shown == set(AccountSettings.__struct_fields__)
    providers = {account["provider"]: account for name, account in written["accounts"].items() if name != "rehearsal"}
    assert sorted(providers) == plugins.names()
    for name, account in providers.items():
        assert set(account.get("options", {})) == set(plugins.load(name).Options.__struct_fields__)


def test_every_setting_is_described() -> None:
    lines = [line for line in starter.text().splitlines() if re.match(r"#\w+ = ", line)]
    own_words = ("#provider = ", "#api_key = ", "#accounts = ")
    assert [line for line in lines if "  # " not in line and not line.startswith(own_words)] == []


def test_a_file_that_exists_is_kept_unless_told_otherwise(shell: Callable[..., Result]) -> None:
    _write("precious", 0o644)
    with pytest.raises(MJBridgeError, match=r"mjbridge\.toml exists.*--force"):
        shell("init")
    assert Path("mjbridge.toml").read_text() == "precious"
    shell("init", "--force")
    assert Path("mjbridge.toml").read_text() == starter.text()
    assert stat.S_IMODE(Path("mjbridge.toml").stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_named(shell: Callable[..., Result]) -> None:
    with pytest.raises(MJBridgeError, match=r"missing/own\.toml: cannot be written"):
        shell("init", "missing/own.toml")


# check, offline


def _problems(source: Any) -> list[str]:
    return [f"{problem.severity}: {problem.message}" for problem in check.problems(config.examine(source))]


def test_all_mistakes_are_told_at_once_and_none_hides_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    found = _problems(
        {
            "acounts": {},
            "journal": 3,
            "accounts": {
                "typo": {
                    "provider": "mjproxy",
                    "base_url": "emulator:",
                    "api-key": "x",
                    "read_timeout": -1,
                    "verify": 2,
                },
                "keyless": {
                    "provider": "cometapi",
                    "api_key": "env:NO_SUCH_KEY",
                    "options": {"sped": 1, "speed": "warp"},
                },
                "nowhere": {"provider": "mjproxy", "headers": {"a b": "x"}},
                "strange": {"provider": "comet"},
                "a:b": EMULATED,
                "shapeless": 1,
            },
            "routes": {"default": ["typo", "keyles"], "none": [], "odd": {"acounts": []}},
        }
    )
    expected = (
        "unknown table 'acounts'; did you mean 'accounts'?",
        "journal is int",
        "[accounts.typo]: unknown key 'api-key'; did you mean 'api_key'?",
        "[accounts.typo]: Expected `float` > 0.0 at `read_timeout`",
        "[accounts.typo]: Expected `bool | str`, got `int` at `verify`",
        "[accounts.shapeless] is not a table",
        "[routes.odd]: unknown key 'acounts'; did you mean 'accounts'?",
        "[routes.odd]: Object missing required field `accounts`",
        "[accounts.nowhere]: headers: 'a b'",
        "[accounts.'a:b']",
        "[routes.default]: unknown account 'keyles'; did you mean 'keyless'?",
        "[routes.none]: names no account",
        "[accounts.keyless]: options: unknown key 'sped'; did you mean 'speed'?",
        "[accounts.keyless]: options: Invalid enum value 'warp'",
        "[accounts.keyless]: api_key is env:NO_SUCH_KEY",
        "[accounts.nowhere]: mjproxy has no vendor of its own",
        "[accounts.strange]: unknown provider 'comet'; did you mean 'cometapi'?",
    )
    mistakes = [problem for problem in found if problem.startswith("mistake: configuration: ")]
    assert [words for words in expected if not any(words in mistake for mistake in mistakes)] == []
    assert len(mistakes) == len(expected)


@pytest.mark.parametrize(
    ("accounts", "routes", "warnings"),
    [
        ({"main": EMULATED}, {}, []),
        ({"main": EMULATED, "spare": EMULATED}, {"default": ["main", "spare"]}, []),
        ({"main": EMULATED, "spare": EMULATED}, {"default": ["main"]}, ["[accounts.spare]: no route uses it"]),
        ({"main": EMULATED, "spare": EMULATED}, {}, ["there is no route"]),
        ({"default": EMULATED, "spare": EMULATED}, {}, []),
    ],
)
def test_what_is_only_unwise_is_a_warning(
    accounts: dict[str, Any], routes: dict[str, Any], warnings: Sequence[str]
) -> None:
    found = _problems({"accounts": accounts, "routes": routes})
    assert len(found) == len(warnings)
    assert all(said.startswith("warning: ") and words in said for said, words in zip(found, warnings, strict=True))


def test_check_tells_of_a_key_that_others_can_read_and_never_shows_it(shell: Callable[..., Result]) -> None:
    _write(f'[accounts.main]\nprovider = "cometapi"\napi_key = "{KEY}"\n', 0o644)
    said = shell("check")
    assert said.return_value == 0
    assert "warning: mjbridge.toml: [accounts.main]: the api_key stands in a file that others can read" in said.output
    assert KEY not in said.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[accounts.main", "is not TOML"),
        ("", "there is no account"),
        ('[accounts.a]\nprovider = "x"\n', "provider 'x'"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_exit_code_2(
    shell: Callable[..., Result], text: str, words: str
) -> None:
    _write(text)
    said = shell("check", "--live")
    assert said.return_value == 2
    assert words in said.output


def test_no_configuration_at_all_says_how_to_make_one(shell: Callable[..., Result]) -> None:
    said = shell("check")
    assert said.return_value == 2
    assert "`mjbridge init` writes one" in said.output


def test_the_environment_may_hold_the_configuration_itself(
    shell: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container has no file to give: whatever has a `=` in it is TOML."""
    monkeypatch.setenv("MJBRIDGE_CONFIG", 'accounts.main = { provider = "mjproxy", base_url = "emulator:" }')
    assert list(Bridge().config.accounts) == ["main"]
    monkeypatch.setenv("MJBRIDGE_CONFIG", f'[accounts.main]\nprovider = "mjproxy"\napi_kye = "{KEY}"')
    said = shell("check")
    assert "mistake: $MJBRIDGE_CONFIG: [accounts.main]: unknown key 'api_kye'" in said.output
    assert KEY not in said.output


def test_a_journal_stands_beside_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "mjbridge.toml"
    for written, read in {
        "jobs.db": str(tmp_path / "jobs.db"),
        "/var/jobs.db": "/var/jobs.db",
        "postgresql+psycopg://host/jobs": "postgresql+psycopg://host/jobs",
        "file:url.txt": f"file:{tmp_path / 'url.txt'}",
        "env:JOURNAL": "env:JOURNAL",
    }.items():
        path.write_text(f'journal = "{written}"\n')
        assert config.load(path).journal == read


# accounts


def test_accounts_shows_how_keys_are_written_and_whether_they_are_found(
    shell: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_KEY", KEY)
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    _write(
        f'[accounts.plain]\nprovider = "cometapi"\napi_key = "{KEY}"\n'
        '[accounts.found]\nprovider = "mjproxy"\nbase_url = "http://me:secret@127.0.0.1:9"\napi_key = "env:OWN_KEY"\n'
        '[accounts.lost]\nprovider = "apimart"\napi_key = "env:NO_SUCH_KEY"\n'
        '[routes]\ndefault = ["plain", "found"]\n'
    )
    text, lines = shell("accounts").output, shell("accounts", "--json").output
    shown = {each["account"]: each for each in map(json.loads, lines.splitlines())}
    assert {name: (each["key"], each["problem"], each["routes"]) for name, each in shown.items()} == {
        "plain": ("plain", "", ["default"]),
        "found": ("env", "", ["default"]),
        "lost": ("env", "api_key is env:NO_SUCH_KEY, and that variable is not set", []),
    }
    assert shown["plain"]["base_url"] == plugins.load("cometapi").base_url
    assert all(name in text for name in shown)
    assert all(secret not in text + lines for secret in (KEY, "secret@"))


def test_accounts_and_check_say_which_configuration_they_read(
    shell: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the places that one may stand in, only the first counts."""
    _write('[accounts.main]\nprovider = "mjproxy"\nbase_url = "emulator:"\n')
    assert shell("check").output.splitlines() == ["mjbridge.toml can be used"]
    assert shell("accounts").output.splitlines()[0] == "the accounts of mjbridge.toml:"
    monkeypatch.setenv("MJBRIDGE_CONFIG", 'accounts.other = { provider = "mjproxy", base_url = "emulator:" }')
    assert shell("check").output.splitlines() == ["$MJBRIDGE_CONFIG can be used"]
    assert shell("accounts").output.splitlines()[0] == "the accounts of $MJBRIDGE_CONFIG:"


# check --live


def _live(accounts: dict[str, Any]) -> dict[str, str]:
    """What each account's vendor says, by the error's category; `""` where the account works."""
    with Bridge({"accounts": accounts}) as bridge:
        return {probed.account: type(probed.error).__name__ if probed.error else "" for probed in check.probe(bridge)}


@pytest.mark.parametrize("provider", plugins.names())
def test_each_account_is_told_by_what_its_vendor_says(
    provider: str, scripted: Callable[[Handler], Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(connection: Connection) -> None:
        connection.request()
        connection.reset()

    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    servers = {
        "wrong_key": scripted(answering(reply(b'{"error": {"message": "no", "type": "auth"}}', 401))),
        "down": scripted(hang_up),
        "elsewhere": scripted(answering(reply(b"<html>welcome</html>"))),
    }
    accounts = {
        name: {"provider": provider, "base_url": server.url, "api_key": KEY} for name, server in servers.items()
    }
    assert _live({**accounts, "unusable": {"provider": provider, "base_url": "localhost"}}) == {
        "wrong_key": "AuthenticationError",
        "down": "Unavailable",
        "elsewhere": "MalformedReply",
    }
    assert len(servers["wrong_key"].requests) == 1


def test_live_opens_the_journal_too(shell: Callable[..., Result], tmp_path: Path) -> None:
    """Without it no submit leaves: who asks whether all is well wants to hear of it before."""
    account = '[accounts.own]\nprovider = "mjproxy"\nbase_url = "emulator:"\n'
    _write(f'journal = "{tmp_path / "nowhere" / "jobs.db"}"\n{account}')
    assert shell("check").return_value == 0
    said = shell("check", "--live")
    assert said.return_value == 1
    assert "own (mjproxy): works\njournal: " in said.output
    assert "unable to open database file" in said.output
    _write(f'journal = "{tmp_path / "jobs.db"}"\n{account}')
    said = shell("check", "--live")
    assert (said.return_value, "journal" in said.output) == (0, False)


def test_live_is_exit_code_1_where_a_vendor_says_no(
    shell: Callable[..., Result], scripted: Callable[[Handler], Scripted]
) -> None:
    server = scripted(answering(reply(b'{"error": {"message": "no", "type": "auth"}}', 401)))
    account = f'[accounts.main]\nprovider = "cometapi"\nbase_url = "{server.url}"\napi_key = "{KEY}"\n'
    _write(account + '[accounts.own]\nprovider = "mjproxy"\nbase_url = "emulator:"\n')
    said = shell("check", "--live")
    assert said.return_value == 1
    assert "main (cometapi): AuthenticationError: " in said.output
    assert "own (mjproxy): works" in said.output
    assert KEY not in said.output
    assert shell("check").return_value == 0
    assert len(server.requests) == 1
