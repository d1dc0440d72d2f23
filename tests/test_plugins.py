"""Plugins as strangers install them: good, broken and twice; and what importing mjbridge does not import.

Each plugin is a package and its metadata in a folder of its own, as pip would unpack it, in a Python of its own.
"""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Final

import pytest

from tests.exchanges import PROVIDERS
from tests.processes import run

BUILDS_ON: Final = {"cometapi": {"mjproxy"}, "octopusx": {"mjproxy"}}

GOOD: Final = """
    from mjbridge_mjproxy import FamilyProvider, MJProxy

    class Stranger(FamilyProvider):
        name = "stranger"
        base_url = "https://stranger.invalid"
        form = MJProxy.form
"""
RIVAL: Final = """
    from mjbridge_cometapi import CometAPI

    class Rival(CometAPI):
        base_url = "https://rival.invalid"
"""

COMET_RECORD: Final = '{"id": "1", "status": "SUCCESS", "imageUrl": "https://api.cometapi.com/mj/image/1"}'


def but(name: str, line: str) -> str:
    """The generic provider under another name, with one line of its own."""
    head = "from mjbridge.provider import Signs\nfrom mjbridge_mjproxy import MJProxy\n"
    return f"{head}class Stranger(MJProxy):\n    name = {name!r}\n    {line}"


# Name of the entry point, what it points to, the module, and what its fault must tell.
BROKEN: Final = {
    "importless": ("Stranger", "import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
    "raising": ("Stranger", "raise RuntimeError('no luck today')", "RuntimeError: no luck today"),
    "unwritten": ("Stranger", "def half(:\n    pass", "SyntaxError"),
    "absent": ("Stranger", "Other = 1", "Stranger"),
    "function": ("stranger", "def stranger(): ...", "not a subclass of mjbridge.Provider"),
    "foreign": ("Stranger", "class Stranger: name = 'foreign'", "not a subclass of mjbridge.Provider"),
    "instance": (
        "stranger",
        "from mjbridge_mjproxy import MJProxy\nstranger = MJProxy()",
        "not a subclass of mjbridge.Provider",
    ),
    "future": (
        "Stranger",
        "from mjbridge_mjproxy import MJProxy\nclass Stranger(MJProxy):\n    name = 'future'\n    api_version = 99",
        "written for API 99, and this is 1: install a newer mjbridge",
    ),
    "nameless": (
        "Stranger",
        "from mjbridge_mjproxy import FamilyProvider\nclass Stranger(FamilyProvider):\n    base_url = None",
        "name",
    ),
    "bare": ("Stranger", "from mjbridge import Provider\nclass Stranger(Provider): ...", "name, api_version, base_url"),
    "outdated": ("Stranger", but("outdated", "api_version = 0"), "install a newer version of it"),
    "unmade": ("Stranger", but("unmade", "def __init__(self): ..."), "fails when it is made: TypeError"),
    "listed": ("Stranger", but("listed", "supports = []"), "has supports of type list, which must be Mapping"),
    "unsaid": (
        "Stranger",
        but("unsaid", "refusals = {'4': ValueError}"),
        "has type in refusals",
    ),
    "signless": ("Stranger", but("signless", "signs = None"), "has signs of type NoneType"),
    "commaless": (
        "Stranger",
        but("commaless", "signs = Signs(ids=('abc-'))"),
        "got `str` - at `$.ids`",
    ),
    "certain": ("Stranger", but("certain", "def matches(self, record): return True"), "matches that gives bool"),
    "alias": ("Stranger", "from mjbridge_mjproxy import MJProxy as Stranger", "calls itself 'mjproxy'"),
}


def install(folder: Path, provider: str, target: str, module: str, *, distribution: str | None = None) -> Path:
    """Unpack a distribution with one provider; gives the folder that goes on the path."""
    distribution = distribution or f"plugin-{provider}"
    site = folder / distribution
    package = distribution.replace("-", "_")
    (site / package).mkdir(parents=True)
    (site / package / "__init__.py").write_text(textwrap.dedent(module), encoding="utf-8")
    metadata = site / f"{package}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[mjbridge.providers]\n{provider} = {package}:{target}\n")
    return site


def python(*arguments: str, home: Path, path: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run Python with these folders on its path; what it writes into its home stays there."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*map(str, path), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "PYTHONIOENCODING": "utf-8",
    }
    done = run(sys.executable, *arguments, env=environment)
    assert done.returncode == 0, done.stderr
    return done


TELL: Final = """
import json, sys
import mjbridge
from mjbridge import Bridge, MJBridgeError

def listed():
    return {
        name: [info.distribution, info.target, info.base_url, info.fault]
        for name, info in mjbridge.providers().items()
    }

def used(provider):
    account = {"provider": provider, "base_url": "emulator:", "poll_interval": 0}
    try:
        return Bridge({"accounts": {"a": account}}).imagine("a lighthouse").provider
    except MJBridgeError as error:
        return [type(error).__name__, str(error), error.provider]

def rehearsed(folder):
    # A clock that passes only while somebody sleeps, also for the emulated vendor.
    from mjbridge.emulator import Emulator, EmulatorTransport
    now = [1_700_000_000.0]
    def sleep(seconds):
        now[0] += seconds
    def transport(provider, settings):
        return EmulatorTransport(Emulator(provider, clock=lambda: now[0]))
    account = {"provider": "stranger", "base_url": "emulator:"}
    bridge = Bridge({"accounts": {"own": account}}, clock=lambda: now[0], sleep=sleep, transport=transport)
    task = bridge.imagine("a lighthouse")
    grid = bridge.wait(task)
    upscaled = bridge.wait(bridge.upscale(grid, 2))
    tasks = [task, grid, upscaled]
    paths = [*bridge.download(grid, folder), *bridge.download(upscaled, folder)]
    return {
        "providers": [each.provider for each in tasks],
        "accounts": [each.account for each in tasks],
        "statuses": [each.status for each in tasks],
        "actions": [each.action for each in tasks],
        "pictures": [path.read_bytes()[1:4].decode() for path in paths],
    }
"""


def ask(question: str, *, home: Path, path: tuple[Path, ...]) -> Any:
    """What an expression gives in a Python that sees the plugins."""
    return json.loads(python("-c", f"{TELL}\nprint(json.dumps({question}))", home=home, path=path).stdout)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A Python in which every broken plugin, and a good one, is installed."""
    folder = tmp_path_factory.mktemp("broken")
    path = [install(folder, name, target, module) for name, (target, module, _) in BROKEN.items()]
    path.append(install(folder, "stranger", "Stranger", GOOD))
    names = [*BROKEN, "stranger", *PROVIDERS]
    detected = f"[mjbridge.detect({COMET_RECORD!r}), mjbridge.normalize({COMET_RECORD.encode()!r}).provider]"
    question = f"{{'listed': listed(), 'used': {{name: used(name) for name in {names}}}, 'detected': {detected}}}"
    answer: dict[str, Any] = ask(question, home=folder, path=tuple(path))
    return answer


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A Python in which a good plugin is installed."""
    folder = tmp_path_factory.mktemp("good")
    path = install(folder, "stranger", "Stranger", GOOD)
    read = """mjbridge.normalize(b'{"id": "1", "status": "SUCCESS"}', 'stranger').provider"""
    question = f"{{'listed': listed(), 'rehearsed': rehearsed({str(folder / 'out')!r}), 'read': {read}}}"
    answer: dict[str, Any] = ask(question, home=folder, path=(path,))
    return answer


# A good plugin.


def test_a_plugin_is_listed_with_its_distribution_beside_those_of_the_house(good: dict[str, Any]) -> None:
    listed = good["listed"]
    assert list(listed) == sorted((*PROVIDERS, "stranger"))
    assert listed["stranger"] == ["plugin-stranger 1.0", "plugin_stranger:Stranger", "https://stranger.invalid", ""]
    assert all(listed[name][0].startswith("mjbridge ") and not listed[name][3] for name in PROVIDERS)


def test_a_plugin_is_used_from_end_to_end_on_the_emulator(good: dict[str, Any]) -> None:
    assert good["rehearsed"] == {
        "providers": ["stranger"] * 3,
        "accounts": ["own"] * 3,
        "statuses": ["pending", "completed", "completed"],
        "actions": ["imagine", "imagine", "upscale"],
        "pictures": ["PNG"] * 6,
    }


def test_a_plugins_records_are_read_by_its_name(good: dict[str, Any]) -> None:
    assert good["read"] == "stranger"


# Accents of the MJ-proxy dialect, whose name comes before "mjproxy": that they are asked first is not to decide.

UNSIGNED: Final = """
    from mjbridge_mjproxy import FamilyProvider, MJProxy

    class Stranger(FamilyProvider):
        name = "accent"
        base_url = None
        form = MJProxy.form
"""
BUILT_ON_MJPROXY: Final = """
    from mjbridge_mjproxy import MJProxy

    class Stranger(MJProxy):
        name = "accent"
"""
READS_BY_ITSELF: Final = """
    import msgspec
    from mjbridge.provider import Signs
    from mjbridge_mjproxy import FamilyProvider, MJProxy

    class Stranger(FamilyProvider):
        name = "accent"
        base_url = None
        form = MJProxy.form
        signs = Signs(links=("https://accent.invalid/",))

        def normalizer(self, **how):
            read = super().normalizer(**how)
            return lambda record: msgspec.structs.replace(read(record), cost_usd=0.5)
"""


@pytest.mark.parametrize("module", [UNSIGNED, BUILT_ON_MJPROXY], ids=["of the family", "of mjproxy"])
def test_an_accent_takes_none_of_the_records_that_are_not_its_own(module: str, tmp_path: Path) -> None:
    site = install(tmp_path, "accent", "Stranger", module)
    record = '{"id": "1", "status": "SUCCESS", "submitTime": 1790000000000, "imageUrl": "https://cdn.invalid/1"}'
    question = f"[mjbridge.detect({record!r}), mjbridge.normalize({record.encode()!r}).provider]"
    assert ask(question, home=tmp_path, path=(site,)) == ["mjproxy", "mjproxy"]


def test_an_accents_own_reader_reads_what_detection_finds(tmp_path: Path) -> None:
    site = install(tmp_path, "accent", "Stranger", READS_BY_ITSELF)
    record = '{"id": "1", "status": "SUCCESS", "imageUrl": "https://accent.invalid/1"}'
    read = f"mjbridge.normalize({record.encode()!r})"
    question = f"[mjbridge.detect({record!r}), {read}.provider, {read}.cost_usd]"
    assert ask(question, home=tmp_path, path=(site,)) == ["accent", "accent", 0.5]


FAILS_AT_ONE: Final = """
    from mjbridge_mjproxy import FamilyProvider, MJProxy

    class Stranger(FamilyProvider):
        name = "accent"
        base_url = None
        form = MJProxy.form

        def normalizer(self, **how):
            read = super().normalizer(**how)
            return lambda record: {}["price"] if b"odd" in record else read(record)
"""


def test_a_record_at_which_an_accents_own_reader_fails_is_a_reject_that_says_where(tmp_path: Path) -> None:
    site = install(tmp_path, "accent", "Stranger", FAILS_AT_ONE)
    lines = b'{"id": "1"}\n{"id": "2", "prompt": "odd"}\n{"id": "3"}\n'
    question = f"[getattr(each, 'id', str(each)) for each in mjbridge.records.read({lines!r}, 'accent')]"
    first, reject, last = ask(question, home=tmp_path, path=(site,))
    assert (first, last) == ("1", "3")
    assert re.fullmatch(r"record 2 at byte 12: the provider failed at it: KeyError\('price'\) at .*\.py:\d+", reject)


SIGNED: Final = """
    from mjbridge.provider import Signs
    from mjbridge_mjproxy import FamilyProvider, MJProxy

    class Stranger(FamilyProvider):
        name = "{name}"
        base_url = None
        form = MJProxy.form
        signs = Signs(keys=("ticket", "promptEn"))
"""


def test_plugins_that_state_the_same_signs_leave_detection_to_those_who_know(tmp_path: Path) -> None:
    names = ("one", "other")
    path = tuple(install(tmp_path, name, "Stranger", SIGNED.replace("{name}", name)) for name in names)
    read = f"mjbridge.normalize({COMET_RECORD.encode()!r}).provider"
    ambiguous = '{"id": "1", "ticket": 1}'
    assert ask(f"[{read}, mjbridge.detect({ambiguous!r})]", home=tmp_path, path=path) == ["cometapi", None]


# Broken plugins.


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_listed_with_its_fault_and_distribution(name: str, broken: dict[str, Any]) -> None:
    distribution, _, _, fault = broken["listed"][name]
    assert distribution == f"plugin-{name} 1.0"
    assert BROKEN[name][2] in fault
    assert repr(name) in fault


@pytest.mark.parametrize("name", BROKEN)
def test_using_a_broken_plugin_names_its_fault_and_distribution(name: str, broken: dict[str, Any]) -> None:
    category, text, provider = broken["used"][name]
    assert category == "PluginError"
    assert provider == name
    assert BROKEN[name][2] in text
    assert f"plugin-{name} 1.0" in text


@pytest.mark.parametrize("name", [*PROVIDERS, "stranger"])
def test_the_others_work_beside_broken_plugins(name: str, broken: dict[str, Any]) -> None:
    assert broken["listed"][name][3] == ""
    assert broken["used"][name] == name


def test_detection_does_without_broken_plugins(broken: dict[str, Any]) -> None:
    assert broken["detected"] == ["cometapi"] * 2


def test_a_plugin_that_exits_when_it_is_imported_is_broken_like_any_other(tmp_path: Path) -> None:
    site = install(tmp_path, "quitting", "Stranger", "raise SystemExit('goodbye')")
    listed, used = ask("[listed(), used('quitting')]", home=tmp_path, path=(site,))
    assert "goodbye" in listed["quitting"][3]
    assert used[0] == "PluginError"


@pytest.mark.parametrize(
    "fails",
    [
        "def matches(self, record): 1 / 0",
        "def matches(self, record): return bool(record) or super().matches(record)",
        "def __init__(self, options=None): 1 / 0",
    ],
)
def test_detection_does_without_plugins_that_fail_when_they_are_called(fails: str, tmp_path: Path) -> None:
    module = f"from mjbridge_mjproxy import MJProxy\nclass Stranger(MJProxy):\n    name = 'failing'\n    {fails}"
    site = install(tmp_path, "failing", "Stranger", module)
    assert ask(f"mjbridge.detect({COMET_RECORD!r})", home=tmp_path, path=(site,)) == "cometapi"


def test_a_broken_plugin_is_shown_without_an_address(tmp_path: Path) -> None:
    """Nobody knows where its vendor is, the account no more than others."""
    site = install(tmp_path, "raising", *BROKEN["raising"][:2])
    shown = python("-m", "mjbridge", "providers", home=tmp_path, path=(site,)).stdout
    of = {name: next(line for line in shown.splitlines() if f" {name} " in line) for name in ("mjproxy", "raising")}
    assert "the account's" in of["mjproxy"]
    assert "the account's" not in of["raising"]


# The same name twice.


def test_a_name_installed_twice_names_both_distributions_and_leaves_the_others_alone(tmp_path: Path) -> None:
    rival = install(tmp_path, "cometapi", "Rival", RIVAL, distribution="rival-comet")
    question = f"[listed(), {{name: used(name) for name in {PROVIDERS}}}]"
    listed, used = ask(question, home=tmp_path, path=(rival,))
    assert list(listed) == list(PROVIDERS)
    assert re.search(r"mjbridge \d", listed["cometapi"][0])
    assert "rival-comet 1.0" in listed["cometapi"][0]
    category, text, provider = used.pop("cometapi")
    assert (category, provider) == ("PluginError", "cometapi")
    for told in (text, listed["cometapi"][3]):
        assert re.search(r"mjbridge \d", told)
        assert "rival-comet 1.0" in told
        assert "uninstall one" in told
    assert used == {name: name for name in PROVIDERS if name != "cometapi"}
    assert [listed[name][3] for name in used] == [""] * 3


def test_the_same_distribution_seen_over_two_paths_is_one_plugin(tmp_path: Path) -> None:
    site = install(tmp_path / "one", "stranger", "Stranger", GOOD)
    again = install(tmp_path / "two", "stranger", "Stranger", GOOD)
    assert ask("used('stranger')", home=tmp_path, path=(site, again)) == "stranger"


# What is not imported.


def imported(statement: str, home: Path, *, path: tuple[Path, ...] = ()) -> set[str]:
    """The top-level packages that a statement imports, by Python's own account of it."""
    report = python("-X", "importtime", "-c", statement, home=home, path=path).stderr
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in report.splitlines()}


def test_importing_mjbridge_imports_no_plugin_and_no_http(tmp_path: Path) -> None:
    site = install(tmp_path, "stranger", "Stranger", GOOD)
    found = imported("import mjbridge", tmp_path, path=(site,))
    assert {"mjbridge", "msgspec"} <= found
    assert found & {"requests", "urllib3", "stevedore", "PIL"} == set()
    assert {name for name in found if name.startswith(("mjbridge_", "plugin_"))} == set()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_importing_a_provider_imports_no_http_and_only_what_it_builds_on(provider: str, tmp_path: Path) -> None:
    found = imported(f"import mjbridge_{provider}", tmp_path)
    own = {provider, *BUILDS_ON.get(provider, ())}
    assert {name for name in found if name.startswith("mjbridge_")} == {f"mjbridge_{name}" for name in own}
    assert found & {"requests", "urllib3", "stevedore", "PIL"} == set()


def test_using_one_provider_imports_no_other(tmp_path: Path) -> None:
    config = {"accounts": {"a": {"provider": "apimart", "base_url": "emulator:"}}}
    statement = f"import mjbridge; mjbridge.Bridge({config}).imagine('a lighthouse')"
    found = imported(statement, tmp_path, path=(install(tmp_path, "stranger", "Stranger", GOOD),))
    assert {name for name in found if name.startswith(("mjbridge_", "plugin_"))} == {"mjbridge_apimart"}
    assert "requests" not in found


def test_listing_names_imports_no_plugin(tmp_path: Path) -> None:
    site = install(tmp_path, "raising", *BROKEN["raising"][:2])
    found = imported("from mjbridge import plugins; assert 'raising' in plugins.names()", tmp_path, path=(site,))
    assert {name for name in found if name.startswith(("mjbridge_", "plugin_"))} == set()
