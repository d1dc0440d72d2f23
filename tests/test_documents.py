"""Every example of the README and the docs is run, and every page says what is true."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pages
from excerpts import imports, layers
from mjbridge import Config, config
from tests.environments import ROOT, Environment

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
# Those who only have mjbridge type what stands in these pages; what stands in the others needs a checkout.
SESSIONS = [page for page in PAGES if page.name not in ("README.md", "contributing.md", "performance.md")]
REHEARSAL = '[accounts.main]\nprovider = "cometapi"\nbase_url = "emulator:"\n'


def _examples(language: str, where: list[Path] = PAGES) -> list[tuple[str, str]]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(page.name, code) for page in where for code in pattern.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "code"), _examples("python"), ids=lambda value: str(value)[:24])
def test_python_runs_as_it_stands(page: str, code: str, tmp_path: Path) -> None:
    """In a folder whose configuration is the README's, rehearsed."""
    del page
    (tmp_path / "mjbridge.toml").write_text(REHEARSAL, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "code"), _examples("toml"), ids=lambda value: str(value)[:24])
def test_toml_is_a_configuration_or_an_entry_point(page: str, code: str) -> None:
    del page
    written = tomllib.loads(code)
    assert "project" in written or isinstance(config.load(written), Config)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("reader"), wheel)


@pytest.mark.parametrize(("page", "code"), _examples("sh", SESSIONS), ids=lambda value: str(value)[:24])
def test_a_shell_session_works_from_an_empty_folder(
    page: str, code: str, installed: Environment, tmp_path: Path
) -> None:
    """Where mjbridge is installed, and the user's own configuration is a rehearsal with a journal."""
    del page
    user = installed.home / "mjbridge"
    user.mkdir(exist_ok=True)
    (user / "mjbridge.toml").write_text(f'journal = "{tmp_path}/journal.db"\n{REHEARSAL}', encoding="utf-8")
    environment = {**os.environ, **installed.variables}
    command = ["bash", "-e", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_generated_can_be(page: Path) -> None:
    """Each `::: NAME` of a page becomes something."""
    text = page.read_text(encoding="utf-8")
    rendered = pages.render(text)
    assert not re.search(r"^::: ", rendered, re.MULTILINE)
    assert len(rendered) > len(text) or "::: " not in text


def test_the_command_line_s_page_has_every_command() -> None:
    rendered = pages.render("::: commands")
    for command in ("imagine", "normalize", "new-provider"):
        assert f"## mjbridge {command}\n" in rendered
        assert f"Usage: mjbridge {command}" in rendered


def test_a_provider_s_page_maps_each_key_both_ways() -> None:
    """Read off the provider itself: what a key decides, and which fields it is written from."""
    rendered = pages.render("::: provider apimart")
    assert "| `mode` | `speed` | `speed` |" in rendered
    assert "| `fail_reason` | `fail_reason` | `fail_reason` |" in rendered
    assert "| `SUCCESS` | `completed` |" in rendered
    assert "https://docs.apimart.ai/en/api-reference/images/midjourney/query" in rendered


def test_an_excerpt_that_is_gone_is_an_error() -> None:
    with pytest.raises(LookupError, match="no_such_name"):
        pages.render("::: source tests/test_documents.py no_such_name")


def test_each_part_of_the_core_imports_only_what_lies_below() -> None:
    """Which the picture of the house shows; a circle could not be drawn."""
    level = {part: place for place, row in enumerate(layers()) for part in row}
    assert level["task"] == 0
    assert level["cli"] == max(level.values())
    assert all(level[used] < level[part] for part, every in imports().items() for used in every)
