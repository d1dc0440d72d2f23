"""What a configuration may say, where it is found, and that every mistake in it is named where it stands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from mjbridge import Bridge, Config, ConfigError, MJBridgeError, PluginError, Task, config
from tests.configurations import ACCOUNT, open_account, with_account

KEY: Final = "sk-secret-0123456789abcdef"

GOOD: Final = """\
[accounts.main]
provider = "cometapi"
base_url = "emulator:"

[accounts.spare]
provider = "apimart"
base_url = "emulator:"
poll_interval = 1

[routes]
default = ["main", "spare"]
cheap = { accounts = ["spare"] }
"""


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, a home and a config folder with nothing in them."""
    for name, folder in {"HOME": "home", "USERPROFILE": "home", "XDG_CONFIG_HOME": "xdg"}.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.delenv("APPDATA", raising=False)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path


def write(path: Path, text: str = GOOD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def named(account: str) -> str:
    """A configuration that is told from others by its account's name."""
    return f'[accounts.{account}]\nprovider = "mjproxy"\nbase_url = "emulator:"\n'


def mistake(source: Any, *words: str) -> str:
    """The text of the `ConfigError` that a configuration is, checked to hold the words."""
    with pytest.raises(ConfigError) as caught:
        config.load(source)
    text = str(caught.value)
    assert [word for word in words if word not in text] == []
    return text


# Where a configuration comes from.


@pytest.mark.parametrize("scheme", ["http", "htp"])
def test_a_password_in_a_base_url_is_shown_nowhere(scheme: str) -> None:
    written = {"accounts": {"own": {"provider": "mjproxy", "base_url": f"{scheme}://me:hunter2@mj.example"}}}
    loaded = config.load(written)
    shown = repr(loaded)
    with Bridge(loaded) as bridge:
        try:
            shown += repr(bridge.account("own"))
        except ConfigError as error:
            shown += str(error)
    assert "mj.example" in shown
    assert "hunter2" not in shown


def test_a_toml_file_a_path_and_a_mapping_say_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "own.toml")
    mapping = {
        "accounts": {
            "main": {"provider": "cometapi", "base_url": "emulator:"},
            "spare": {"provider": "apimart", "base_url": "emulator:", "poll_interval": 1.0},
        },
        "routes": {"default": ["main", "spare"], "cheap": {"accounts": ["spare"]}},
    }
    assert config.load(path) == config.load(str(path)) == config.load(mapping) == Bridge(path).config
    assert config.load(path).account("spare").poll_interval == 1


def test_a_config_is_taken_as_it_is() -> None:
    made = config.load({"accounts": {"main": ACCOUNT}})
    assert isinstance(made, Config)
    assert config.load(made) is made
    assert Bridge(made).config is made


def test_the_environment_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MJBRIDGE_CONFIG", str(write(tmp_path / "named.toml", named("by_variable"))))
    assert list(Bridge().config.accounts) == ["by_variable"]


def test_the_working_directory_is_looked_at(nowhere: Path) -> None:
    write(nowhere / "cwd" / "mjbridge.toml", named("by_directory"))
    assert list(Bridge().config.accounts) == ["by_directory"]


@pytest.mark.parametrize(
    ("variable", "folder"), [("XDG_CONFIG_HOME", "xdg"), ("APPDATA", "appdata"), ("HOME", "home/.config")]
)
def test_the_users_config_folder_is_looked_at(
    variable: str, folder: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv(variable, str(nowhere / folder.partition("/")[0]))
    write(nowhere / folder / "mjbridge" / "mjbridge.toml", named("by_user"))
    assert list(Bridge().config.accounts) == ["by_user"]


def test_the_places_are_looked_at_in_their_order(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = write(nowhere / "xdg" / "mjbridge" / "mjbridge.toml", named("by_user"))
    here = write(nowhere / "cwd" / "mjbridge.toml", named("by_directory"))
    variable = write(nowhere / "named.toml", named("by_variable"))
    argument = write(nowhere / "own.toml", named("by_argument"))
    monkeypatch.setenv("MJBRIDGE_CONFIG", str(variable))
    assert list(config.load(argument).accounts) == ["by_argument"]
    assert list(config.load().accounts) == ["by_variable"]
    monkeypatch.delenv("MJBRIDGE_CONFIG")
    assert list(config.load().accounts) == ["by_directory"]
    here.unlink()
    assert list(config.load().accounts) == ["by_user"]
    user.unlink()
    mistake(None, "MJBRIDGE_CONFIG", "mjbridge.toml", str(user))


def test_an_empty_environment_variable_names_nothing(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MJBRIDGE_CONFIG", "")
    write(nowhere / "cwd" / "mjbridge.toml", named("by_directory"))
    assert list(config.load().accounts) == ["by_directory"]


def test_a_file_that_the_environment_names_must_exist(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(nowhere / "cwd" / "mjbridge.toml")
    monkeypatch.setenv("MJBRIDGE_CONFIG", str(nowhere / "missing.toml"))
    mistake(None, str(nowhere / "missing.toml"), "cannot be read")


@pytest.mark.parametrize("kind", ["missing", "folder", "latin-1", "no toml"])
def test_a_file_that_cannot_be_used_is_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "latin-1":
        path.write_bytes('[accounts."Zürich"]'.encode("latin-1"))
    elif kind == "no toml":
        path.write_text("[accounts.main\n")
    mistake(path, str(path))
    with pytest.raises(ConfigError):
        Bridge(path)


# Mistakes, in a file and in a mapping.


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("[acounts.main]\n", ["unknown table 'acounts'", "'accounts'"]),
        ("[xyz]\n", ["unknown table 'xyz'", "accounts, routes"]),
        ('[accounts.main]\nprovider = "mjproxy"\napi-key = "x"\n', ["[accounts.main]", "'api-key'", "'api_key'"]),
        ('[accounts.main]\nprovider = "mjproxy"\nreadtimeout = 1\n', ["[accounts.main]", "'read_timeout'"]),
        ('[accounts.main]\nprovider = "mjproxy"\nxyz = 1\n', ["[accounts.main]", "'xyz'", "base_url", "api_key"]),
        ('[accounts.main]\nbase_url = "emulator:"\n', ["[accounts.main]", "provider"]),
        ("accounts = 1\n", ["[accounts]", "not a table"]),
        ("[accounts]\nmain = 1\n", ["[accounts.main]", "not a table"]),
        ("routes = 1\n", ["[routes]", "not a table"]),
        (GOOD + 'night = ["sparre"]\n', ["[routes.night]", "unknown account 'sparre'", "'spare'"]),
        (GOOD + 'night = ["xyz"]\n', ["[routes.night]", "unknown account 'xyz'", "main, spare"]),
        (GOOD + 'night = { acounts = ["main"] }\n', ["[routes.night]", "'acounts'", "'accounts'"]),
        (GOOD + "night = {}\n", ["[routes.night]", "accounts"]),
        (GOOD + "night = []\n", ["[routes.night]", "no account"]),
        (GOOD + 'night = ["main", "spare", "main"]\n', ["[routes.night]", "names 'main' more than once"]),
        (GOOD + 'night = "main"\n', ["[routes.night]", "array", "str"]),
        (GOOD + "night = [1]\n", ["[routes.night]", "str", "int"]),
        (GOOD + 'journal = "own.db"\n', ["[routes]", "journal belongs to no table", "above"]),
        ('[accounts.main]\nprovider = "mjproxy"\njournal = "own.db"\n', ["[accounts.main]", "journal", "above"]),
        ('[accounts."a:b"]\nprovider = "mjproxy"\n', ["[accounts.'a:b']", "colon"]),
        ('[accounts.""]\nprovider = "mjproxy"\n', ["[accounts.'']", "empty"]),
    ],
)
def test_a_mistake_names_the_file_the_table_the_word_and_the_nearest_known_one(
    wrong: str, words: list[str], tmp_path: Path
) -> None:
    path = write(tmp_path / "own.toml", wrong)
    mistake(path, str(path), *words)


def test_a_mistake_in_a_mapping_names_the_table_too() -> None:
    mistake({"accounts": {"main": {**ACCOUNT, "poll_intervall": 3}}}, "[accounts.main]", "'poll_interval'")
    mistake({"acounts": {}}, "unknown table 'acounts'", "'accounts'")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("provider", 1),
        ("base_url", 1),
        ("api_key", 1),
        ("api_key", [KEY]),
        ("connect_timeout", "10"),
        ("read_timeout", [KEY]),
        ("read_timeout", True),
        ("proxy", {}),
        ("headers", {"X-Number": 1}),
        ("headers", "X-Number: 1"),
        ("verify", 1),
        ("max_rate", "1/s"),
        ("max_in_flight", 1.5),
        ("poll_interval", "3 s"),
        ("options", []),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_place(key: str, value: object) -> None:
    text = mistake({"accounts": {"main": {**ACCOUNT, key: value}}}, "[accounts.main]", key)
    assert KEY not in text


@pytest.mark.parametrize("key", ["connect_timeout", "read_timeout"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_time_out_that_no_socket_can_have_is_refused(key: str, seconds: float) -> None:
    with pytest.raises(ConfigError, match=key):
        open_account(base_url="http://127.0.0.1:9", **{key: seconds})


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_poll_interval_that_nobody_can_sleep_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="poll_interval"):
        open_account(poll_interval=seconds)


@pytest.mark.parametrize(("key", "number"), [("max_rate", 0), ("max_rate", -1), ("max_in_flight", 0)])
def test_a_limit_that_lets_nothing_through_is_refused(key: str, number: int) -> None:
    with pytest.raises(ConfigError, match=key):
        open_account(**{key: number})


@pytest.mark.parametrize("value", ["snow \N{SNOWMAN}", "two\nlines", "two\r\nX-Other: lines", "a\x00b"])
def test_a_header_that_http_cannot_carry_is_refused_and_its_value_not_echoed(value: str) -> None:
    with pytest.raises(ConfigError, match="X-Note") as caught:
        open_account(base_url="http://127.0.0.1:9", headers={"X-Note": f"{KEY}{value}"})
    assert KEY not in str(caught.value)
    with pytest.raises(ConfigError, match="headers"):
        open_account(base_url="http://127.0.0.1:9", headers={value: "x"})


def test_a_certificate_file_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(ConfigError, match=r"verify: there is no file or folder ''"):
        open_account(base_url="https://127.0.0.1:9", verify="")
    with pytest.raises(ConfigError, match=r"verify.*missing\.pem"):
        open_account(base_url="https://127.0.0.1:9", verify=str(missing))
    missing.touch()
    open_account(base_url="https://127.0.0.1:9", verify=str(missing))


def test_a_configuration_that_cannot_be_parsed_is_not_echoed(tmp_path: Path) -> None:
    for wrong in (f'api_key = "{KEY}', f"api_key = {KEY}", f'api_key = "{KEY}" x', f'a = 1\na = "{KEY}"'):
        assert KEY not in mistake(write(tmp_path / "own.toml", f"[accounts.main]\n{wrong}\n"))


# Routes.


def test_a_route_is_a_list_or_a_table() -> None:
    loaded = config.load(
        {
            "accounts": {"main": ACCOUNT, "spare": ACCOUNT},
            "routes": {"a": ["spare", "main"], "b": {"accounts": ["main"]}},
        }
    )
    assert loaded.route("a") == ["spare", "main"]
    assert loaded.route("b") == ["main"]


def test_an_account_is_a_route_to_itself_unless_a_route_has_its_name() -> None:
    written: dict[str, Any] = {"accounts": {"main": ACCOUNT, "spare": ACCOUNT}}
    assert config.load(written).route("spare") == ["spare"]
    assert config.load({**written, "routes": {"spare": ["main"]}}).route("spare") == ["main"]


def test_an_account_alone_is_the_default_route() -> None:
    loaded = config.load({"accounts": {"main": ACCOUNT}})
    assert loaded.route("default") == ["main"]
    assert Bridge(loaded).imagine("a lighthouse").account == "main"


def test_among_two_accounts_there_is_no_default_unless_one_is_named_so() -> None:
    with pytest.raises(ConfigError, match="no default route"):
        Bridge({"accounts": {"main": ACCOUNT, "spare": ACCOUNT}}).imagine("a lighthouse")
    bridge = Bridge({"accounts": {"default": ACCOUNT, "spare": ACCOUNT}})
    assert bridge.imagine("a lighthouse").account == "default"


def test_no_account_at_all_is_a_configuration_that_can_do_nothing() -> None:
    with pytest.raises(ConfigError, match="there is no account: add"):
        Bridge({}).imagine("a lighthouse")


def test_an_unknown_route_or_account_is_named_with_the_nearest() -> None:
    bridge = Bridge({"accounts": {"main": ACCOUNT, "spare": ACCOUNT}})
    with pytest.raises(ConfigError, match=r"unknown route or account 'spar'.*'spare'"):
        bridge.imagine("a lighthouse", route="spar")
    with pytest.raises(ConfigError, match=r"unknown account 'spar'.*'spare'"):
        bridge.fetch("spar:1")


def test_a_route_goes_to_its_first_account() -> None:
    bridge = Bridge({"accounts": {"main": ACCOUNT, "spare": ACCOUNT}, "routes": {"default": ["spare", "main"]}})
    assert bridge.imagine("a lighthouse").account == "spare"


# What the provider checks.


@pytest.mark.parametrize(
    ("provider", "options", "words"),
    [
        ("mjproxy", {"speeed": "path"}, r"unknown key 'speeed'.*'speed'"),
        ("mjproxy", {"speed": "warp"}, r"(?i)invalid enum value 'warp'.*speed`; known: account_filter, none, path$"),
        ("mjproxy", {"auth": 1}, "auth"),
        ("cometapi", {"sped": "path"}, r"unknown key 'sped'.*'speed'"),
        ("octopusx", {"mod": "fast"}, r"unknown key 'mod'.*'mode'"),
        ("apimart", {"speed": "fast"}, r"unknown key 'speed'.*known: pictures, repaints"),
    ],
)
def test_options_are_checked_by_the_provider(provider: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        open_account(provider=provider, options=options)
    assert provider in str(caught.value)


def test_options_reach_the_provider() -> None:
    bridge = Bridge(with_account(options={"speed": "none"}))
    assert bridge.account("main").provider.options.speed == "none"
    with pytest.raises(MJBridgeError, match="speed"):
        bridge.imagine("a lighthouse", speed="fast")


@pytest.mark.parametrize(
    ("provider", "words"),
    [("comet", r"unknown provider 'comet'.*'cometapi'"), ("xyz", r"'xyz'.*apimart, cometapi, mjproxy, octopusx")],
)
def test_an_unknown_provider_is_named_with_the_nearest(provider: str, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        Bridge(with_account(provider=provider)).imagine("a lighthouse")


def test_an_emulator_behind_a_folder_remembers_its_tasks(tmp_path: Path) -> None:
    settings = with_account(base_url=f"emulator:{tmp_path / 'tasks'}")
    task = Bridge(settings).imagine("a lighthouse")
    assert Bridge(settings).fetch(task.ref).prompt == "a lighthouse"


def test_nothing_is_opened_before_it_is_used() -> None:
    opened: list[str] = []

    def transport(*_: object) -> Any:
        opened.append("a transport")

    bridge = Bridge(with_account(), transport=transport)
    assert opened == []
    bridge.account("main")
    bridge.account("main")
    assert opened == ["a transport"]


@pytest.mark.parametrize("ref", ["", "main", "main:", ":1", ":"])
def test_a_ref_is_an_account_and_an_id(ref: str) -> None:
    bridge = Bridge(with_account())
    calls: tuple[Callable[[], object], ...] = (
        lambda: bridge.fetch(ref),
        lambda: bridge.upscale(ref, 1),
        lambda: bridge.seed(ref),
    )
    for call in calls:
        with pytest.raises(MJBridgeError, match="account:id"):
            call()


def test_a_task_read_from_storage_has_no_account_to_go_to() -> None:
    with pytest.raises(MJBridgeError, match="account:id"):
        Bridge(with_account()).fetch(Task(id="1730621826053455"))


def test_paths_count_from_the_folder_of_their_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs it from wherever, they are the same files."""
    folder = tmp_path / "service"
    write(folder / "key.txt", "sk-1")
    write(folder / "ca.pem", "")
    path = write(
        folder / "own.toml",
        """
        [accounts.main]
        provider = "cometapi"
        api_key = "file:key.txt"
        verify = "ca.pem"

        [accounts.rehearsal]
        provider = "apimart"
        base_url = "emulator:tasks"
        """,
    )
    with Bridge(path) as bridge:
        bridge.account("main")
        ref = bridge.imagine("a lighthouse", route="rehearsal").ref
        monkeypatch.chdir(folder)
        assert [each.name for each in (folder / "tasks").iterdir()] == [f"{ref.partition(':')[2]}.json"]
    with Bridge(path.name) as bridge:
        assert bridge.fetch(ref).prompt == "a lighthouse"
