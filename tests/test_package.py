"""What is installed: the wheel, its entry points, its types and its public names."""

import sys
import zipfile
from pathlib import Path

import mjbridge
from tests.environments import Environment
from tests.processes import run

# What `import mjbridge` may cost: modules of any kind that a bare Python has not loaded already.
MODULES_AT_MOST = 150
HEAVY = {
    "requests",
    "urllib3",
    "http.client",
    "ssl",
    "email",
    "stevedore",
    "importlib.metadata",
    "asyncio",
    "sqlite3",
    "tomllib",
}


def test_public_names_are_sorted_and_complete() -> None:
    """Whatever the package's own file imports for its users is in `__all__`, and nothing else is."""
    assert list(mjbridge.__all__) == sorted(mjbridge.__all__)
    submodules = {path.stem for path in Path(mjbridge.__file__).parent.iterdir()}
    public = {name for name in vars(mjbridge) if not name.startswith("_") and name not in submodules}
    assert public <= set(mjbridge.__all__)
    assert all(hasattr(mjbridge, name) for name in mjbridge.__all__)


def test_importing_mjbridge_is_light() -> None:
    """No HTTP library, no discovery, no provider, no extra; and few modules of any kind."""
    program = "import sys; before = set(sys.modules); import mjbridge; print(*(set(sys.modules) - before))"
    modules = run(sys.executable, "-c", program, check=True).stdout.split()
    extras = {"click", "rich", "PIL", "platformdirs", "pyarrow", "sqlalchemy", "keyring"}
    assert not {name for name in modules if name in HEAVY | extras or name.startswith("mjbridge_")}
    assert len(modules) <= MODULES_AT_MOST, sorted(modules)


def test_the_wheel_holds_the_core_the_four_providers_and_their_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    packages = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert packages == {"mjbridge", "mjbridge_apimart", "mjbridge_cometapi", "mjbridge_mjproxy", "mjbridge_octopusx"}
    assert {f"{package}/py.typed" for package in packages} <= set(names)


def test_the_installed_wheel_finds_the_four_providers_and_works(wheel: Path, tmp_path: Path) -> None:
    """With the sources out of the way."""
    program = (
        "import mjbridge, sys\n"
        "assert mjbridge.__file__.startswith(sys.prefix), mjbridge.__file__\n"
        "assert sorted(mjbridge.providers()) == ['apimart', 'cometapi', 'mjproxy', 'octopusx'], mjbridge.providers()\n"
        "assert not [info.fault for info in mjbridge.providers().values() if info.fault]\n"
        "bridge = mjbridge.Bridge({'accounts': {'a': {'provider': 'apimart', 'base_url': 'emulator:'}}})\n"
        "assert bridge.wait(bridge.imagine('a lighthouse')).done\n"
    )
    done = Environment(tmp_path / "environment", wheel).run("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
