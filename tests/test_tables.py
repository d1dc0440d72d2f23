"""The tables of the command line: nothing in them is cut, for it is copied into the next command, or read by a pipe."""

import re
from collections.abc import Sequence
from typing import Final

import pytest

from mjbridge import Imagine
from mjbridge.journal import Journal
from tests.shell import Shell

URL: Final = "https://midjourney-relay.europe-west4.a-very-long-name.example.com/v1/relay"
ID: Final = "f9dc189eb2084f4c9f5b1c3a5f0e7d26"
PROMPT: Final = "a [bold]lighthouse[/] at dusk in the middle of the sea of tranquility --ar 16:9"
_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def shell(shell: Shell) -> Shell:
    """With an account at a long address, a task of a long ref, and a doubt."""
    (shell.folder / "mjbridge.toml").write_text(
        f'journal = "jobs.db"\n[accounts.far]\nprovider = "mjproxy"\nbase_url = "{URL}"\n'
        '[accounts.spare]\nprovider = "apimart"\nbase_url = "emulator:spare"\n'
    )
    kept = Journal(shell.folder / "jobs.db", new_id=lambda: ID)
    kept.submission("far", "mjproxy", Imagine(prompt="a doubtful lighthouse")).intend()
    kept.close()
    return shell


def _ref(shell: Shell) -> str:
    return shell.task("imagine", PROMPT, "--account", "spare", "--no-wait").ref


def _rows(text: str) -> list[str]:
    """The lines of a table without its frame, the blanks between two words being one."""
    return [re.sub(r"[│\s]+", " ", _STYLE.sub("", line)) for line in text.splitlines() if "│" in line]


def _columns(text: str) -> Sequence[str]:
    """What stands in each column, read downwards, without any blank."""
    lines = [_STYLE.sub("", line).split("│")[1:-1] for line in text.splitlines() if "│" in line]
    return ["".join("".join(cells).split()) for cells in zip(*lines, strict=True)]


def test_out_of_a_terminal_a_row_is_a_line(shell: Shell) -> None:
    """However narrow the terminal is in which the pipe was written."""
    shell.environment |= {"COLUMNS": "40", "FORCE_COLOR": "1"}
    ref = _ref(shell)
    doubt, task = _rows(shell("tasks").stdout.decode())
    assert f" {ref} imagine {PROMPT} " in task
    assert f" far, submission {ID} imagine a doubtful lighthouse " in doubt
    (far,) = (row for row in _rows(shell("accounts").stdout.decode()) if row.startswith(" far "))
    assert far == f" far mjproxy {URL} none ready "


@pytest.mark.parametrize("width", [200, 100, 80])
def test_on_a_terminal_the_words_to_copy_are_whole_and_the_others_fold(shell: Shell, width: int) -> None:
    ref = _ref(shell)
    shell.environment["COLUMNS"] = str(width)
    shown = _STYLE.sub("", shell.terminal("tasks"))
    assert ref in shown
    assert ID in shown
    assert max(map(len, shown.splitlines())) <= width
    assert "inthemiddleoftheseaoftranquility--ar16:9" in _columns(shown)[-1]


@pytest.mark.parametrize("width", [40, 60])
def test_on_a_terminal_too_narrow_for_them_they_fold_too(shell: Shell, width: int) -> None:
    ref = _ref(shell)
    shell.environment["COLUMNS"] = str(width)
    places = _columns(shell.terminal("tasks"))[2]
    assert ref in places
    assert ID in places
    shown = shell.terminal("accounts")
    assert URL in _columns(shown)[2]
    assert max(len(_STYLE.sub("", line)) for line in shown.splitlines()) <= width


def test_the_table_of_providers_folds_too(shell: Shell) -> None:
    shell.environment["COLUMNS"] = "40"
    assert "https://api.cometapi.com" in _columns(shell.terminal("providers"))[2]
    assert any(" https://api.cometapi.com works " in row for row in _rows(shell("providers").stdout.decode()))


def test_the_table_of_capabilities_folds_too(shell: Shell) -> None:
    shell.environment["COLUMNS"] = "30"
    assert "emulated" in _columns(shell.terminal("capabilities"))[2]
    rows = _rows(shell("capabilities").stdout.decode())
    assert any(row.startswith(" Upscale native emulated emulated emulated ") for row in rows)


def test_the_summary_of_normalize_has_whole_paths(shell: Shell) -> None:
    shell.environment["COLUMNS"] = "40"
    record = '{"id": "1", "imageUrl": "g", "status": "SUCCESS", "submitTime": "yesterday, in the evening"}'
    done = shell("normalize", "-", stdin=record.encode())
    assert done.returncode == 0
    assert " issues at $.submitTime unreadable: left out 1 " in _rows(done.stderr.decode())


def test_a_wrong_id_to_dismiss_is_misuse_and_names_the_right_one(shell: Shell) -> None:
    done = shell("tasks", "--dismiss", "WRONG")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"mjbridge: the journal has no unsettled submission 'WRONG'; it has: {ID} (far)\n"
