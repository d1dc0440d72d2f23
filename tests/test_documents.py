"""Every example of the README and the docs is run, and every page says what is true."""

import os
import re
import sys
import tomllib
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

import mjbridge
import pages
from excerpts import FLOORS, floors, imports, layers
from mjbridge import Config, Task, config
from mjbridge.emulator import Emulator, application
from mjbridge.plugins import load
from tests.environments import ROOT, Environment
from tests.processes import run
from tests.servers import serve

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
# Those who only have mjbridge type what stands in these pages; what stands in the others needs a checkout.
SESSIONS = [page for page in PAGES if page.name not in ("contributing.md", "performance.md")]
# The README's first two commands need one too; `.ci/run` types them.
COMMANDS_OF_A_CHECKOUT = 2
# Where a client of one's own sends its requests; an emulator stands there when the page's code runs.
VENDORS: Final[Mapping[str, str]] = {
    "https://api.cometapi.com": "cometapi",
    "https://octopusx.ai": "octopusx",
    "https://api.apimart.ai": "apimart",
    "http://127.0.0.1:8080": "mjproxy",
}
REHEARSAL = '[accounts.main]\nprovider = "cometapi"\nbase_url = "emulator:"\n'


def _examples(language: str, where: list[Path] = PAGES) -> list[tuple[str, str]]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(page.name, code) for page in where for code in pattern.findall(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def emulated() -> Generator[Callable[[str], str]]:
    """Code with the addresses of emulators in the place of the vendors'."""
    with ExitStack() as stack:
        addresses = {
            url: stack.enter_context(serve(application(Emulator(load(name)(), duration=0))))
            for url, name in VENDORS.items()
        }

        def replace(code: str) -> str:
            return re.sub("|".join(map(re.escape, addresses)), lambda url: addresses[url[0]], code)

        yield replace


@pytest.mark.parametrize(("page", "code"), _examples("python"), ids=lambda value: str(value)[:24])
def test_python_runs_as_it_stands(page: str, code: str, tmp_path: Path, emulated: Callable[[str], str]) -> None:
    """In a folder whose configuration is the README's, rehearsed; no request leaves this machine."""
    del page
    (tmp_path / "mjbridge.toml").write_text(REHEARSAL, encoding="utf-8")
    keys = {f"{name.upper()}_KEY": "sk-of-no-worth" for name in VENDORS.values()}
    done = run(sys.executable, "-c", emulated(code), cwd=tmp_path, env={**os.environ, **keys})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "code"), _examples("toml"), ids=lambda value: str(value)[:24])
def test_toml_is_a_configuration_or_an_entry_point(page: str, code: str) -> None:
    del page
    written = tomllib.loads(code)
    assert "project" in written or isinstance(config.load(written), Config)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("reader"), wheel)


@pytest.mark.parametrize(
    ("page", "code"), _examples("sh", SESSIONS)[COMMANDS_OF_A_CHECKOUT:], ids=lambda value: str(value)[:24]
)
def test_a_shell_session_works_from_an_empty_folder(
    page: str, code: str, installed: Environment, tmp_path: Path
) -> None:
    """Where mjbridge is installed, and the user's own configuration is a rehearsal with a journal."""
    del page
    user = installed.home / "mjbridge"
    user.mkdir(exist_ok=True)
    (user / "mjbridge.toml").write_text(f'journal = "{tmp_path}/journal.db"\n{REHEARSAL}', encoding="utf-8")
    done = run("bash", "-e", "-c", code, cwd=tmp_path, env={**os.environ, **installed.variables})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^) #]+)", page.read_text(encoding="utf-8")):
        assert _stands(Path(os.path.normpath(page.parent / target))), target


def _stands(path: Path) -> bool:
    """In the repository; or, of the packages, where they are installed: the wheel is tested without its sources."""
    place = path.relative_to(ROOT)
    package = Path(*place.parts[1:]) if place.parts[0] == "providers" else place
    return path.exists() or (Path(mjbridge.__path__[0]).parent / package).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_generated_can_be(page: Path) -> None:
    """Each link with a title, alone in its line, becomes something."""
    text = page.read_text(encoding="utf-8")
    rendered = pages.render(text)
    assert not pages.DIRECTIVE.search(rendered)
    assert len(rendered) > len(text) or not pages.DIRECTIVE.search(text)


def _made(directive: str) -> str:
    return pages.render(f'[What the code says](../mjbridge "{directive}")')


def test_the_command_line_s_page_has_every_command() -> None:
    rendered = _made("commands")
    for command in ("imagine", "normalize", "new-provider"):
        assert f"## mjbridge {command}\n" in rendered
        assert f"Usage: mjbridge {command}" in rendered


def test_the_task_s_page_has_every_field() -> None:
    told = re.findall(r"^\| (`.*?) \|", (DOCS / "task.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(told))) == sorted(Task.__struct_fields__)


def test_a_provider_s_page_maps_each_key_both_ways() -> None:
    """Read off the provider itself: what a key decides, and which fields it is written from."""
    rendered = _made("provider apimart")
    assert "| `mode` | `speed` | `speed` |" in rendered
    assert "| `fail_reason` | `fail_reason` | `fail_reason` |" in rendered
    assert "| `SUCCESS` | `completed` |" in rendered
    assert "https://docs.apimart.ai/en/api-reference/images/midjourney/query" in rendered


def test_an_excerpt_that_is_gone_is_an_error() -> None:
    with pytest.raises(LookupError, match="no_such_name"):
        _made("source tests/test_documents.py no_such_name")


def test_each_part_of_the_core_imports_only_what_lies_below() -> None:
    """A circle could not be put in order."""
    level = {part: place for place, row in enumerate(layers()) for part in row}
    assert level["task"] == 0
    assert level["cli"] == max(level.values())
    assert all(level[used] < level[part] for part, every in imports().items() for used in every)


def test_the_picture_of_the_house_has_each_part_once() -> None:
    """On its floor; one that imports from a floor above is an error of the build."""
    shown = [part for parts in floors().values() for part in parts]
    assert sorted(shown) == sorted(imports())
    assert set(" ".join(FLOORS.values()).split()) <= imports().keys()
    picture = _made("house")
    assert all(f">{part}</text>" in picture for part in shown)
