"""Every example of the README and the docs is run."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mjbridge import Config, config, plugins

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _examples(language: str) -> list[tuple[str, str]]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(page.name, code) for page in PAGES for code in pattern.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "code"), _examples("python"), ids=lambda value: str(value)[:24])
def test_python_runs_as_it_stands(page: str, code: str, tmp_path: Path) -> None:
    """In a folder whose configuration is the README's, rehearsed."""
    del page
    rehearsal = '[accounts.main]\nprovider = "cometapi"\nbase_url = "emulator:"\n'
    (tmp_path / "mjbridge.toml").write_text(rehearsal, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "code"), _examples("toml"), ids=lambda value: str(value)[:24])
def test_toml_is_a_configuration_or_an_entry_point(page: str, code: str) -> None:
    del page
    written = tomllib.loads(code)
    assert "project" in written or isinstance(config.load(written), Config)


@pytest.mark.parametrize("provider", ["apimart", "cometapi", "mjproxy", "octopusx"])
def test_every_code_of_a_vendor_is_told(provider: str) -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    for code, refusal in plugins.load(provider).refusals.items():
        row = next(
            (line for line in page.splitlines() if line.startswith(f"| `{code}` |") and refusal.meaning in line), ""
        )
        assert refusal.category.__name__ in row, code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
