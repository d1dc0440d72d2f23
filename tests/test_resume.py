"""`tasks` and `resume`: what the journal knows is listed, and polled on by a later process."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from mjbridge import Bridge, ConfigError, Imagine, InvalidCommand, Status, Task
from mjbridge.cli import commands
from mjbridge.emulator.transport import SECONDS
from mjbridge.journal import Journal

CONFIGURATION = """\
journal = "jobs.db"

[accounts.main]
provider = "cometapi"
base_url = "emulator:main"

[accounts.spare]
provider = "apimart"
base_url = "emulator:spare"
"""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in a folder with a configuration, in this process; an error of the family is raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("mjbridge.toml").write_text(CONFIGURATION)

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(commands.cli, arguments, standalone_mode=False)
        if result.exception:
            raise result.exception
        return result

    return run


def _submit(*accounts: str) -> list[Task]:
    """New tasks, as another process would have submitted them before it died."""
    with Bridge() as bridge:
        return [bridge.imagine(f"a lighthouse of {account}", route=account) for account in accounts]


def _doubt() -> str:
    """A submit of which nobody knows the outcome; its id."""
    kept = Journal("jobs.db", new_id=lambda: "id-1")
    kept.submission("main", "cometapi", Imagine(prompt="a doubtful lighthouse")).intend()
    kept.close()
    return "id-1"


def _lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_tasks_lists_what_is_open_and_what_is_in_doubt(shell: Callable[..., Result]) -> None:
    (task,) = _submit("main")
    _doubt()
    said = shell("tasks")
    assert task.ref in said.stdout
    assert "accepted pending" in said.stdout
    assert "imagine a lighthouse of main" in said.stdout
    assert "submission id-1 (imagine a doubtful lighthouse) may have been accepted by main" in said.stderr
    lines = _lines(shell("tasks", "--json"))
    assert [(line["outcome"], line.get("task_id")) for line in lines] == [("accepted", task.id), ("unknown", None)]
    assert lines[0]["command"] == {"command": "imagine", "prompt": "a lighthouse of main"}
    assert lines[0]["submitted_at"].endswith("Z")


def test_resume_waits_for_every_task_of_every_account_and_saves_its_pictures(shell: Callable[..., Result]) -> None:
    submitted = _submit("main", "spare", "main")
    said = shell("resume", "--download", "out", "--json")
    assert said.return_value == 0
    printed = said.stdout.splitlines()
    tasks = [msgspec.json.decode(line, type=Task) for line in printed[::2]]
    assert {task.ref for task in tasks} == {task.ref for task in submitted}
    assert all(task.status is Status.COMPLETED for task in tasks)
    files = [json.loads(line) for line in printed[1::2]]
    assert [each["ref"] for each in files] == [task.ref for task in tasks]
    assert {Path(path) for each in files for path in each["paths"]} == set(Path("out").glob("*.png"))
    assert len(list(Path("out").iterdir())) == 15
    assert f"{submitted[0].ref} completed 100%" in said.stderr
    assert _lines(shell("tasks", "--json")) == []
    assert [line["status"] for line in _lines(shell("tasks", "--all", "--json"))] == ["completed"] * 3
    again = shell("resume")
    assert (again.return_value, again.stdout) == (0, "")


def test_a_task_that_does_not_settle_is_named_and_stays(
    shell: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "600")
    (task,) = _submit("main")
    said = shell("resume", "--timeout", "0.3")
    assert said.return_value == 1
    assert f"{task.ref}: main (cometapi) wait: task {task.ref} has not settled" in said.stderr
    assert len(_lines(shell("tasks", "--json"))) == 1


def test_one_account_s_trouble_stops_no_other(shell: Callable[..., Result]) -> None:
    """A task that its vendor forgot, and an account that is configured no more."""
    forgotten, kept = _submit("main", "spare")
    shutil.rmtree("main")
    lost = Journal("jobs.db")
    entry = lost.submission("gone", "cometapi", Imagine(prompt="a lighthouse"))
    entry.intend()
    entry.accepted(Task(id="7", account="gone", status=Status.PENDING))
    lost.close()
    said = shell("resume", "--json")
    assert said.return_value == 1
    assert [line["id"] for line in _lines(said)] == [kept.id]
    assert "gone:7: there is no account 'gone' any more" in said.stderr
    assert f"{forgotten.ref}: " in said.stderr
    assert {line["task_id"] for line in _lines(shell("tasks", "--json"))} == {forgotten.id, "7"}


def test_pictures_that_cannot_be_saved_keep_no_task_from_being_shown(shell: Callable[..., Result]) -> None:
    _submit("main", "spare")
    Path("out").write_text("a file")
    said = shell("resume", "--download", "out/pictures", "--json")
    assert said.return_value == 1
    assert [line["status"] for line in _lines(said)] == ["completed", "completed"]
    assert said.stderr.count("the pictures cannot be saved there") == 2


def test_a_failed_task_is_exit_code_1(shell: Callable[..., Result]) -> None:
    (task,) = _submit("main")
    path = Path("main") / f"{task.id}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fail_reason": "the moon was in the way"}))
    said = shell("resume")
    assert said.return_value == 1
    assert "the moon was in the way" in said.stdout
    assert _lines(shell("tasks", "--json")) == []


def test_a_doubt_is_taken_off_the_list_by_its_id(shell: Callable[..., Result]) -> None:
    doubt = _doubt()
    assert "may have been accepted" in shell("resume").stderr
    assert shell("tasks", "--dismiss", doubt, "--json").stdout == ""
    with pytest.raises(InvalidCommand, match=f"no unsettled submission '{doubt}'; it has: none"):
        shell("tasks", "--dismiss", doubt)


def test_without_a_journal_both_say_how_to_have_one(shell: Callable[..., Result]) -> None:
    Path("mjbridge.toml").write_text(CONFIGURATION.partition("\n")[2])
    for command in ("tasks", "resume"):
        with pytest.raises(ConfigError, match=r'add journal = "mjbridge\.db"'):
            shell(command)


def test_the_journal_of_the_command_line_is_beside_its_configuration(
    shell: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    (task,) = _submit("main")
    file = Path("mjbridge.toml").resolve()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert task.ref in shell("--config", str(file), "tasks").stdout
    assert list(Path().iterdir()) == []
