"""SQL tables as a source of records and as a place for tasks, and the journal in one: in SQLite always, and elsewhere.

`MJBRIDGE_TEST_SQL_URL` names more databases, by SQLAlchemy's URLs with white space between them. Each has to be empty,
and is so again afterwards.
"""

import base64
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sql

from mjbridge import Imagine, Status, Task
from mjbridge.journal import Entry, Journal, Outcome
from mjbridge.task import decode
from tests.shell import Shell

DATABASES: Final = ("", *os.environ.get("MJBRIDGE_TEST_SQL_URL", "").split())
ROWS: Final = sql.Table(
    "midjourneys",
    sql.MetaData(),
    sql.Column("id", sql.BigInteger, primary_key=True, autoincrement=False),
    sql.Column("mj_id", sql.String(191)),
    sql.Column("status", sql.String(20)),
    sql.Column("progress", sql.String(30)),
    sql.Column("submit_time", sql.Numeric(20, 0)),
    sql.Column("prompt", sql.Text),
    sql.Column("buttons", sql.Text),
)
GRID: dict[str, Any] = {"status": "SUCCESS", "progress": "100%", "imageUrl": "https://cdn.example.com/g.png"}


@pytest.fixture(params=DATABASES, ids=["sqlite", *(sql.make_url(url).drivername for url in DATABASES[1:])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    url: str = request.param or f"sqlite:///{tmp_path / 'tasks.db'}"
    assert _tables(url) == [], "the tests make tables, and drop all there are"
    yield url
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        for name in _tables(url):
            sql.Table(name, sql.MetaData()).drop(connection)
    engine.dispose()


def _tables(url: str) -> list[str]:
    engine = sql.create_engine(url)
    names = sql.inspect(engine).get_table_names()
    engine.dispose()
    return names


def _schema(url: str) -> str:
    engine = sql.create_engine(url)
    name = sql.inspect(engine).default_schema_name
    engine.dispose()
    assert name
    return name


def _made(url: str, rows: list[dict[str, Any]], name: str = ROWS.name) -> None:
    table = ROWS.to_metadata(sql.MetaData(), name=name)
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), rows)
    engine.dispose()


def _new_api(count: int, prompt: str | None = None) -> list[dict[str, Any]]:
    """Rows whose keys are not in the order of their tasks; the one without a task is a submit that was refused."""
    told = {"status": "SUCCESS", "progress": "100%", "submit_time": 1740000000123, "prompt": prompt}
    buttons = json.dumps([{"customId": "b", "label": "U1"}])
    rows = [{"id": count - place, "mj_id": str(place), "buttons": buttons, **told} for place in range(count)]
    return [*rows, {"id": 0, "mj_id": "", "buttons": "", **told}]


def _lines(*tasks: Task) -> bytes:
    return b"".join(task.to_json() + b"\n" for task in tasks)


def _told(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps({**GRID, **record}).encode() + b"\n" for record in records)


def _stored(shell: Shell, url: str, lines: bytes, exit_code: int = 0) -> list[bytes]:
    """What is in the table of tasks once these are in it too, in the order of its key."""
    done = shell("normalize", "-", "-q", "--provider", "mjproxy", "-o", url, stdin=lines)
    assert (done.returncode, done.stderr) == (exit_code, b"")
    back = shell("normalize", "--from", url, "--table", "tasks", "-q")
    assert (back.returncode, back.stderr) == (0, b"")
    return back.stdout.splitlines()


# As a source.


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_table_is_read_in_the_order_of_its_key(shell: Shell, url: str, workers: str) -> None:
    _made(url, _new_api(2500))
    done = shell.process("normalize", "--from", url, "--table", "midjourneys", "--workers", workers)
    tasks = [decode(line) for line in done.stdout.splitlines()]
    assert [task.id for task in tasks] == [str(place) for place in reversed(range(2500))]
    assert (tasks[0].buttons[0].custom_id, json.loads(bytes(tasks[0].raw))["submit_time"]) == ("b", 1740000000123)
    assert done.returncode == 3
    assert b" midjourneys: record 1 " in done.stderr


@pytest.mark.parametrize(
    ("table", "message"),
    [("midjourney", "there are: midjourneys, other"), ("other", "no column of a task's id")],
)
def test_a_table_that_is_no_table_of_tasks_is_told(shell: Shell, table: str, message: str) -> None:
    url = f"sqlite:///{shell.folder / 'one-api.db'}"
    _made(url, _new_api(1))
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("create table other (name text, status text)")
    engine.dispose()
    done = shell("normalize", "--from", url, "--table", table)
    assert done.returncode == 2
    assert message in done.stderr.decode()


def test_a_table_may_be_named_with_its_schema(shell: Shell, url: str) -> None:
    _made(url, _new_api(1)[:1])
    schema = _schema(url)
    done = shell(
        "normalize", "--from", url, "--table", f"{schema}.midjourneys", "-q", "-o", url, "--into", f"{schema}.own"
    )
    assert (done.returncode, done.stderr) == (0, b"")
    back = shell("normalize", "--from", url, "--table", "own", "-q")
    assert [decode(line).id for line in back.stdout.splitlines()] == ["0"]
    missing = shell("normalize", "--from", url, "--table", f"{schema}.jobs")
    assert missing.returncode == 2
    assert f"in {schema} there are: midjourneys, own" in missing.stderr.decode()


def test_a_table_with_a_dot_in_its_name_is_found_by_it(shell: Shell, url: str) -> None:
    _made(url, _new_api(1)[:1], "mid.journeys")
    done = shell("normalize", "--from", url, "--table", "mid.journeys", "-q")
    assert [decode(line).id for line in done.stdout.splitlines()] == ["0"]


@pytest.mark.parametrize("name", [".tasks", "main."])
def test_a_dot_with_nothing_on_one_side_parts_nothing(shell: Shell, url: str, name: str) -> None:
    assert shell("normalize", "-", "-o", url, "--into", name, "-q", stdin=_told({"id": "1"})).returncode == 0
    assert _tables(url) == [name]


def test_an_error_of_a_database_is_its_first_line(shell: Shell) -> None:
    url = f"sqlite:///{shell.folder / 'one-api.db'}"
    _made(url, _new_api(1))
    done = shell("normalize", "--from", url, "--table", "first\nsecond.tasks")
    assert done.returncode == 1
    assert b"first" in done.stderr
    assert b"second" not in done.stderr


@pytest.mark.parametrize("options", ["--from URL --table no.tasks", "- -o URL --into no.tasks"])
def test_a_schema_that_is_not_there_is_told(shell: Shell, url: str, options: str) -> None:
    _made(url, _new_api(1))
    done = shell("normalize", *options.replace("URL", url).split(), "-q", stdin=_told({"id": "1"}))
    assert done.returncode in {1, 2}
    assert "no" in re.findall(r"\w+", done.stderr.decode())
    assert done.stderr.count(b"\n") == 1
    assert _tables(url) == ["midjourneys"]


def test_sqlite_s_columns_are_read_as_they_are_stored(shell: Shell) -> None:
    """Whatever their types say is in them; and what is no text is a reject that hides no other row."""
    with closing(sqlite3.connect(shell.folder / "one-api.db")) as connection, connection:
        connection.execute(
            "create table tasks (mj_id text primary key, status, prompt, made datetime, day date, data json, paid bool)"
        )
        connection.executemany(
            "insert into tasks values (?, 'SUCCESS', cast(? as text), ?, ?, ?, ?)",
            [
                ("1", b"pig", "soon", "0000-00-00", "no JSON", 2),
                ("2", b"p\xffg", None, None, None, None),
                ("3", b"cat", "0000-00-00 00:00:00", "never", b'{"a":1}', "no"),
            ],
        )
    options = ("--provider", "mjproxy", "--rejects", "bad.jsonl", "-q")
    done = shell("normalize", "--from", "sqlite:///one-api.db", "--table", "tasks", *options)
    assert (done.returncode, done.stderr) == (3, b"")
    first, last = (json.loads(bytes(decode(line).raw)) for line in done.stdout.splitlines())
    assert [first[name] for name in ("made", "day", "data", "paid")] == ["soon", "0000-00-00", "no JSON", 2]
    assert [last[name] for name in ("made", "day", "data", "paid")] == ["0000-00-00 00:00:00", "never", '{"a":1}', "no"]
    reject = json.loads((shell.folder / "bad.jsonl").read_bytes())
    assert (reject["number"], b'"mj_id":"2"' in base64.b64decode(reject["base64"])) == (2, True)
    assert b'"p\xffg"' in base64.b64decode(reject["base64"])


def test_sqlite_s_own_uri_names_a_file_too(shell: Shell) -> None:
    """Which is how a database that is in use is opened to be read only."""
    missing = shell("normalize", "--from", "sqlite:///file:my%20tasks.db?uri=true", "--table", "tasks")
    assert (missing.returncode, shell.files()) == (2, [])
    url = "sqlite:///file:my tasks.db?uri=true"
    assert shell("normalize", "-", "-o", url, "--provider", "mjproxy", stdin=_told({"id": "1"})).returncode == 0
    back = shell("normalize", "--from", f"{url}&mode=ro", "--table", "tasks", "-q")
    assert [decode(line).id for line in back.stdout.splitlines()] == ["1"]
    same = shell("normalize", "--from", url, "--table", "tasks", "-o", "sqlite:///my tasks.db")
    assert (same.returncode, shell.files()) == (0, ["my tasks.db"])


def test_a_blob_that_is_no_text_is_told_and_stands_for_none(shell: Shell) -> None:
    with closing(sqlite3.connect(shell.folder / "one-api.db")) as connection, connection:
        connection.execute("create table tasks (mj_id text primary key, status, prompt blob)")
        connection.execute("insert into tasks values ('1', 'SUCCESS', ?)", [b"\xff\xfe"])
    options = ("--provider", "mjproxy", "--issues", "issues.jsonl", "-q")
    done = shell("normalize", "--from", "sqlite:///one-api.db", "--table", "tasks", *options)
    assert (done.returncode, decode(done.stdout).prompt) == (0, None)
    issue = json.loads((shell.folder / "issues.jsonl").read_bytes())
    assert (issue["path"], issue["value"]) == ("$.prompt", {"base64": "//4=", "subType": "00"})


def test_a_row_of_ours_that_somebody_spoilt_is_a_reject(shell: Shell, url: str) -> None:
    lines = _stored(shell, url, _told(*({"id": str(number), "buttons": [{"customId": "b"}]} for number in range(3))))
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sql.text("update tasks set buttons = 'none' where id = '1'"))
    engine.dispose()
    done = shell("normalize", "--from", url, "--table", "tasks", "-q")
    assert (done.returncode, done.stdout.splitlines()) == (3, [lines[0], lines[2]])
    assert b"record 2 " in done.stderr


# As a place for tasks.


def test_tasks_go_into_a_table_and_come_back_the_same(shell: Shell, url: str) -> None:
    """A second time too, whatever their texts hold, and however long they are."""
    rich = {"properties": {"a": 1}, "buttons": [{"customId": "b"}], "submitTime": 1740000000123, "seed": "7"}
    many = [{"id": str(number), **rich} for number in range(1500)]
    prompts = ("猫 \U0001f63a é", 'it\'s "so" \\ %s :name %(x)s', "p" * 100_000)
    wild: list[dict[str, Any]] = [{"id": f"wild {number}", "prompt": text} for number, text in enumerate(prompts)]
    alike = [{"id": "Ab"}, {"id": "ab"}, {"id": "x" * 400}]
    paid = Task(id="paid", provider="apimart", cost_usd=0.04504)
    read = shell("normalize", "-", "--provider", "mjproxy", stdin=_told(*many, *wild, *alike)).stdout
    lines = read + _lines(paid, Task(id="bare", provider="p"))
    for _ in range(2):
        assert sorted(_stored(shell, url, lines)) == sorted(lines.splitlines())


def test_a_table_takes_the_newer_of_two_and_keeps_the_rest(shell: Shell, url: str) -> None:
    before = [Task(id="1", provider="p", status=Status.PENDING), Task(id="2", provider="p", account="a", prompt="pig")]
    after = [Task(id="1", provider="p", status=Status.PENDING), Task(id="2", provider="p")]
    last = Task(id="1", provider="p", status=Status.FAILED)
    _stored(shell, url, _lines(*before))
    assert sorted(_stored(shell, url, _lines(*after, last))) == sorted(_lines(last, after[1], before[1]).splitlines())


def test_a_table_may_be_read_again_with_today_s_code_into_itself(shell: Shell, url: str) -> None:
    lines = _stored(shell, url, _told(*({"id": str(number), "prompt": "pig"} for number in range(3000))))
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sql.text("update tasks set prompt = 'wrong'"))
    engine.dispose()
    assert shell("normalize", "--from", url, "--table", "tasks", "--from-raw", "-o", url).returncode == 0
    assert _stored(shell, url, b"") == lines


def test_a_table_may_be_read_into_another_of_its_database(shell: Shell, url: str) -> None:
    """However much it is: more than SQLite's cache holds would have to go to a file that is being read."""
    _made(url, _new_api(3000, prompt="p" * 1000))
    waiting = f"{url}?timeout=3600" if url.startswith("sqlite") else url
    done = shell.process("normalize", "-q", "--from", url, "--table", "midjourneys", "-o", waiting)
    assert done.returncode == 3
    assert len(shell("normalize", "-q", "--from", url, "--table", "tasks").stdout.splitlines()) == 3000


def test_a_text_that_a_database_cannot_hold_keeps_no_task_out(shell: Shell, url: str) -> None:
    """PostgreSQL has no NUL in texts. `raw` has it everywhere."""
    nul = {"id": "1", "prompt": "a\0b", "properties": {"a": "\0"}}
    first, second = map(decode, _stored(shell, url, _told(nul, {"id": "2"})))
    assert first.prompt == ("a\ufffdb" if url.startswith("postgresql") else "a\0b")
    assert first.properties == {"a": "\0"}
    assert json.loads(bytes(first.raw))["prompt"] == "a\0b"
    assert second.id == "2"


def test_a_number_that_no_database_holds_is_a_reject(shell: Shell, url: str) -> None:
    tasks = _lines(Task(id="1", provider="p"), Task(id="2", provider="p", progress=10**20), Task(id="3", provider="p"))
    done = shell("normalize", "-", "-q", "-o", url, stdin=tasks)
    assert (done.returncode, b"record 2 " in done.stderr) == (3, True)
    assert [decode(line).id for line in _stored(shell, url, b"")] == ["1", "3"]


def test_what_fails_on_the_way_leaves_no_table(shell: Shell, url: str) -> None:
    records = _told({"id": "1"}) + b"7\n"
    done = shell("normalize", "-", "-q", "--provider", "mjproxy", "-o", url, "--rejects", "/dev/full", stdin=records)
    assert done.returncode == 1
    assert _tables(url) == []


def test_a_table_of_something_else_is_not_written_to(shell: Shell, url: str) -> None:
    _made(url, _new_api(1))
    done = shell("normalize", "-", "-o", url, "--into", "midjourneys", stdin=_told({"id": "1"}))
    assert done.returncode == 2
    assert b"is not one of tasks" in done.stderr


# As the journal.


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    made = Journal(url, now=lambda: 1740000000.123)
    yield made
    made.close()


def _accepted(journal: Journal, prompt: str, task_id: str, **extra: Any) -> None:
    submission = journal.submission("main", "mjproxy", Imagine(prompt=prompt, extra=extra))
    submission.intend()
    submission.accepted(Task(id=task_id, account="main", status=Status.PENDING))


def test_a_journal_keeps_any_command_and_any_task_apart(journal: Journal) -> None:
    _accepted(journal, "猫 \U0001f63a \0", "Ab")
    _accepted(journal, "long", "ab", **{str(number): "猫" * 3000 for number in range(20)})
    _accepted(journal, "upload", "https://cdn.example.com/" + "x" * 400)
    journal.saw([Task(id="Ab", account="main", status=Status.COMPLETED)])
    entries = {entry.task_id: entry for entry in journal.all()}
    assert [entries["Ab"].settled, entries["ab"].settled, len(entries)] == [True, False, 3]
    assert json.loads(bytes(entries["Ab"].command))["prompt"] == "猫 \U0001f63a \0"
    assert all(entry.submitted_at.timestamp() == 1740000000.123 for entry in entries.values())
    assert {entry.task_id for entry in journal.unsettled()} == entries.keys() - {"Ab"}


def test_what_may_have_been_accepted_is_unsettled_until_it_is_dismissed(journal: Journal) -> None:
    journal.submission("main", "mjproxy", Imagine(prompt="pig")).intend()
    (entry,) = journal.unsettled()
    assert isinstance(entry, Entry)
    assert isinstance(entry.submitted_at, datetime)
    assert entry.outcome is Outcome.UNKNOWN
    journal.dismiss(entry.id)
    assert list(journal.unsettled()) == []
