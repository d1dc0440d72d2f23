"""What is installed: the wheel, its entry points, its types and its public names."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import mjbridge

ROOT = Path(__file__).parent.parent


def test_public_names_are_sorted_and_exist() -> None:
    assert list(mjbridge.__all__) == sorted(mjbridge.__all__)
    assert all(hasattr(mjbridge, name) for name in mjbridge.__all__)


def test_importing_mjbridge_loads_neither_requests_nor_stevedore_nor_a_provider() -> None:
    program = "import mjbridge, sys; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert [
        name
        for name in modules
        if name.startswith(("requests", "stevedore", "mjbridge_", "urllib3", "sqlalchemy", "keyring"))
    ] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_core_the_four_providers_and_their_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    packages = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert packages == {"mjbridge", "mjbridge_apimart", "mjbridge_cometapi", "mjbridge_mjproxy", "mjbridge_octopusx"}
    assert {f"{package}/py.typed" for package in packages} <= set(names)


def test_the_installed_wheel_finds_the_four_providers_and_works(wheel: Path, tmp_path: Path) -> None:
    """With the sources out of the way: an environment that has this one's dependencies, and the wheel in front."""
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run([*install, "--disable-pip-version-check"], check=True, capture_output=True)
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import mjbridge\n"
        f"assert mjbridge.__file__.startswith({str(site)!r}), mjbridge.__file__\n"
        "assert sorted(mjbridge.providers()) == ['apimart', 'cometapi', 'mjproxy', 'octopusx'], mjbridge.providers()\n"
        "assert not [info.fault for info in mjbridge.providers().values() if info.fault]\n"
        "bridge = mjbridge.Bridge({'accounts': {'a': {'provider': 'apimart', 'base_url': 'emulator:'}}})\n"
        "assert bridge.wait(bridge.imagine('a lighthouse')).done\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
