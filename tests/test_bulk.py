"""`mjbridge normalize` on real files: whatever goes in comes out as a task or a reject, by however many workers."""

import gzip
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import permutations
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

import mjbridge
from mjbridge import Status, Task, bulk
from mjbridge.bulk import Settings, tables
from mjbridge.cli.reading import progress_bar
from mjbridge.records.windows import FIRST_BYTES
from tests.processes import run, running
from tests.record_lines import GRID, MANY, record_lines, tasks_in
from tests.record_sources import LIMIT, lower_limit
from tests.shell import Shell

# Inputs and what is told of them.


def test_many_inputs_are_read_in_order_by_name_pattern_and_stdin(shell: Shell) -> None:
    shell.write("b.json", b'[{"id": "2"}]')
    shell.write("a.json", gzip.compress(b'{"id": "1"}'))
    done = shell("normalize", "?.json", "-", "--provider", "mjproxy", stdin=b"id,status\n3,SUCCESS\n")
    assert [task.id for task in tasks_in(done.stdout)] == ["1", "2", "3"]
    assert done.returncode == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_named_pipe_is_read_as_a_file_is(shell: Shell, workers: str) -> None:
    """As a shell makes one of `<(zcat export.gz)`."""
    pipe = shell.folder / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(pipe.write_bytes, record_lines(3))
        done = shell.process(
            "normalize", "pipe", "-", "--provider", "mjproxy", "--workers", workers, stdin=record_lines(2)
        )
        writing.result()
    assert [task.id for task in tasks_in(done.stdout)] == ["0", "1", "2", "0", "1"]
    assert done.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "out", "--rejects", "out"),
        ("-o", "out", "--issues", "./out"),
        ("--rejects", "-"),
        ("-o", "out", "--rejects", "-", "--issues", "-"),
        ("-o", ""),
        ("-o", "folder/"),
        ("-o", "out", "--issues", "folder/"),
        ("", "-o", "out"),
        ("-o", "out", "--into", "table"),
        ("-o", "out.csv"),
        ("-o", "out.DB"),
        ("-o", "out", "--rejects", "out.xlsx"),
        ("-o", "out.feather"),
        ("-o", "out.arrow"),
        ("-o", "out.orc"),
        ("-o", "out.jsonl.ZSTD"),
        ("-o", "out", "--issues", "out.parquet"),
        ("-o", "out", "--issues", "sqlite:///out.db"),
        ("-o", "sqlite://"),
        ("-o", "sqlite:///"),
        ("-o", "sqlite:///:memory:"),
    ],
)
def test_one_place_for_two_outputs_or_none_for_one_is_misuse(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell.write("in.jsonl", record_lines(1))
    done = shell("normalize", "in.jsonl", *arguments)
    assert (done.returncode, done.stdout, shell.files()) == (2, b"", ["in.jsonl"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("in.jsonl", "--rejects", "in.jsonl"),
        ("in.jsonl", "-o", "out", "--issues", "./link.jsonl"),
        ("*.jsonl", "-o", "out", "--rejects", "in.jsonl"),
        ("-", "-o", "out", "--rejects", "in.jsonl"),
        ("--from", "sqlite:///store", "--table", "tasks", "--rejects", "store"),
        ("--from", "sqlite:///store", "--table", "tasks", "-o", "store"),
        ("in.jsonl", "-o", "sqlite:///store", "--rejects", "store"),
    ],
)
def test_what_is_read_is_not_replaced_by_what_was_left_of_it(shell: Shell, arguments: tuple[str, ...]) -> None:
    """Nor a database by the tasks of one of its tables."""
    lines = shell.write("in.jsonl", record_lines(1) + b"7\n")
    (shell.folder / "link.jsonl").symlink_to("in.jsonl")
    assert shell("normalize", "-", "-q", "-o", "sqlite:///store", stdin=record_lines(1)).returncode == 0
    before = {path.name: path.read_bytes() for path in shell.folder.iterdir()}
    command = (sys.executable, "-m", "mjbridge", "normalize", *arguments)
    with lines.open("rb") as stdin:
        done = run(*command, cwd=shell.folder, env=shell.environment, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert {path.name: path.read_bytes() for path in shell.folder.iterdir()} == before


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_is_not_replaced_by_its_tasks_where_its_rejects_would_be_lost(shell: Shell, workers: str) -> None:
    content = record_lines(2) + b"7\n"
    shell.write("in.jsonl", content)
    options = ("in.jsonl", "-o", "./in.jsonl", "--provider", "mjproxy", "--workers", workers, "-q")
    done = shell.process("normalize", *options)
    assert (done.returncode, (shell.folder / "in.jsonl").read_bytes(), shell.files()) == (1, content, ["in.jsonl"])
    assert "in.jsonl: not replaced" in done.stderr.decode().splitlines()[-1]
    assert shell.process("normalize", *options, "--rejects", "bad.jsonl").returncode == 3
    assert len(tasks_in((shell.folder / "in.jsonl").read_bytes())) == 2
    assert json.loads((shell.folder / "bad.jsonl").read_bytes())["record"] == 7


def test_rejects_may_go_to_stdout_where_the_tasks_do_not(shell: Shell) -> None:
    done = shell("normalize", "-", "-q", "-o", "out.jsonl", "--rejects", "-", stdin=b"7\n")
    assert json.loads(done.stdout)["record"] == 7
    assert (done.returncode, shell.files()) == (3, ["out.jsonl"])


def test_the_summary_counts_tasks_issues_and_rejects(shell: Shell) -> None:
    shell.write("in.jsonl", record_lines(3) + record_lines(2, status="ODD") + b"7\n")
    done = shell("normalize", "in.jsonl", "--provider", "mjproxy", "-o", "out.jsonl")
    said = done.stderr.decode()
    assert done.returncode == 3
    assert [line.replace(" ", "").strip("│") for line in said.splitlines() if line.startswith("│")] == [
        "tasksofmjproxy│completed│3",
        "tasksofmjproxy│unknown│2",
        "issuesat$.status│noknownstatus:readasunknown│2",
        "rejects││1",
    ]
    assert f"in.jsonl: record 6 at byte {len(record_lines(3) + record_lines(2, status='ODD'))}: " in said
    assert "6 records" in said


def test_quiet_says_nothing_but_what_was_rejected(shell: Shell) -> None:
    done = shell("normalize", "-", "-q", "--provider", "mjproxy", stdin=b'{"id":"1"}\n7\n')
    assert done.stderr.decode().splitlines() == [
        "-: record 2 at byte 11: a record is a JSON object, and this is a number"
    ]


def test_a_terminal_shows_a_bar_with_the_rate_and_the_time_left(shell: Shell) -> None:
    shell.write("in.jsonl", record_lines(MANY))
    shell.environment["TERM"] = "xterm-256color"
    shown = shell.terminal("normalize", "in.jsonl", "-o", "out.jsonl", "--workers", "2", stream="stderr")
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
    assert f"100% {MANY:,} records (" in text
    assert "left 0:00:00" in text


def test_no_thread_draws_the_bar() -> None:
    """Workers are forked beside it."""
    before = threading.active_count()
    with progress_bar(Console(file=io.StringIO(), force_terminal=True)):
        assert threading.active_count() == before


def test_rejects_and_issues_go_to_files_whole_and_verbatim(shell: Shell) -> None:
    bad = [b"<html>", b'{"colour": "red"}', b"\xff\xfe", *[b"7"] * 50]
    shell.write("in.jsonl", b"\n".join([record_lines(1, progress="x").strip(), *bad]))
    done = shell("normalize", "in.jsonl", "--rejects", "bad.jsonl.gz", "--issues", "doubtful.jsonl", "-o", "out.jsonl")
    rejects = [json.loads(line) for line in gzip.decompress((shell.folder / "bad.jsonl.gz").read_bytes()).splitlines()]
    assert [each["number"] for each in rejects] == list(range(2, 55))
    assert [rejects[0]["text"], rejects[1]["record"], rejects[2]["base64"]] == ["<html>", {"colour": "red"}, "//4="]
    (issue,) = map(json.loads, (shell.folder / "doubtful.jsonl").read_text().splitlines())
    assert (issue["source"], issue["number"], issue["path"], issue["value"]) == ("in.jsonl", 1, "$.progress", "x")
    assert b"record" not in done.stderr.split(b"\xe2\x94\x8f")[0]
    assert done.returncode == 3


def test_of_many_rejects_some_are_shown(shell: Shell) -> None:
    done = shell("normalize", "-", "-q", stdin=b"7\n" * 30)
    assert len(done.stderr.splitlines()) == 21
    assert b"--rejects FILE" in done.stderr.splitlines()[-1]


# What is done with the records.


def test_latest_is_one_merged_task_an_id_in_order_of_first_appearance(shell: Shell) -> None:
    story = [
        {"id": "2", "status": "SUBMITTED", "prompt": "pig"},
        {"id": "1", **GRID},
        {"id": "2", **GRID},
        {"id": "2", "status": "IN_PROGRESS", "progress": "40%", "parentId": "9"},
    ]
    shell.write("log.jsonl", "\n".join(map(json.dumps, story)).encode())
    for workers in ("1", "2"):
        done = shell.process("normalize", "log.jsonl", "--latest", "--provider", "mjproxy", "--workers", workers)
        second, first = tasks_in(done.stdout)
        assert (second.id, second.status, second.prompt, second.parent_id) == ("2", Status.COMPLETED, "pig", "9")
        assert first.id == "1"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("form", [bytes, gzip.compress])
def test_each_reading_of_a_file_counts_its_records_from_one(
    shell: Shell, form: Callable[[bytes], bytes], workers: str
) -> None:
    shell.write("in", form(record_lines(5000) + b"7\n"))
    names = ("in", "in", "in")
    done = shell.process("normalize", *names, "-q", "--provider", "mjproxy", "--workers", workers)
    assert [line.split(b" at ")[0] for line in done.stderr.splitlines()] == [b"in: record 5001"] * 3
    assert len(done.stdout.splitlines()) == 15_000


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_cannot_be_read_or_written_on_is_named(shell: Shell, workers: str) -> None:
    """A closed stdin, a disk that gives no more (as the memory of a process at address 0), a full one."""
    shell.write("in.jsonl", record_lines(3))
    told = {
        "normalize - -q <&-": "stdin: Bad file descriptor",
        "normalize in.jsonl - -q < /proc/self/mem": "stdin: Input/output error",
        "normalize in.jsonl /proc/self/mem -q": "/proc/self/mem: Input/output error",
        "normalize in.jsonl -q > /dev/full": "stdout: No space left on device",
    }
    for command, message in told.items():
        line = f'"$0" -m mjbridge {command} --provider mjproxy --workers {workers}'
        done = run("sh", "-c", line, sys.executable, cwd=shell.folder, env=shell.environment)
        assert (done.returncode, done.stderr) == (1, f"mjbridge: {message}\n")


def test_a_database_named_as_a_file_is_told_the_way(shell: Shell) -> None:
    done = shell("normalize", "sqlite:///one-api.db")
    assert done.returncode == 2
    assert b"sqlite:///one-api.db: no such file: a database is read with --from URL --table NAME" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no pipe is left without waiting there")
def test_a_pipe_that_was_left_without_waiting_is_read_to_its_end(shell: Shell) -> None:
    """Whoever had it before may have left it so: what is not there yet would pass for its end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    command = (sys.executable, "-m", "mjbridge", "normalize", "-", "-q", "--provider", "mjproxy")
    with (
        running(*command, cwd=shell.folder, env=shell.environment, stdin=reading, stdout=subprocess.PIPE) as process,
        os.fdopen(writing, "wb", buffering=0) as pipe,
    ):
        assert process.stdout
        pipe.write(record_lines(1))
        first = process.stdout.readline()
        pipe.write(record_lines(1))
        pipe.close()
        assert process.stdout.read() == first
    os.close(reading)


def test_memory_that_does_not_suffice_is_one_message(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("mjbridge.cli.normalize.bulk.batches", full)
    shell.write("in.jsonl", record_lines(1))
    done = shell("normalize", "in.jsonl", "-o", "out")
    assert (done.returncode, done.stderr, shell.files()) == (1, b"mjbridge: out of memory\n", ["in.jsonl"])


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_whose_records_are_no_text_is_one_reject_that_names_the_way(shell: Shell, workers: str) -> None:
    shell.folder.joinpath("one.jsonl").write_bytes(record_lines(1))
    for output in ("one.parquet", "sqlite:///one.sqlite"):
        assert shell("normalize", "one.jsonl", "-o", output, "--provider", "mjproxy").returncode == 0
    with zipfile.ZipFile(shell.folder / "one.zip", "w") as archive:
        archive.write(shell.folder / "one.jsonl")
    inputs = ("one.parquet", "one.sqlite", "one.zip", "one.jsonl")
    done = shell.process("normalize", *inputs, "-q", "--workers", workers, "--provider", "mjproxy")
    assert (done.returncode, len(tasks_in(done.stdout))) == (3, 1)
    parquet, sqlite, archived = done.stderr.decode().splitlines()
    assert parquet.startswith("one.parquet: record 1 at byte 0: a Parquet file")
    assert sqlite.startswith("one.sqlite: record 1 at byte 0: an SQLite database")
    assert archived.startswith("one.zip: record 1 at byte 0: a zip archive")


def test_the_summary_of_latest_tells_how_many_tasks_came_out(shell: Shell) -> None:
    done = shell("normalize", "-", "--latest", "--provider", "mjproxy", stdin=b'{"id":"1"}\n{"id":"2"}\n{"id":"1"}\n')
    assert b"3 records in" in done.stderr
    assert b"merged to 2 tasks" in done.stderr


def test_latest_is_the_same_in_whatever_order_the_records_of_a_task_arrived() -> None:
    """What one record leaves empty comes from the furthest on that tells, not from the first that is met."""
    seen = [Task(id="1", status=Status.PROCESSING, progress=30 * far, preview_url=f"p{far}") for far in (1, 2, 3)]
    story = [Task(id="1", status=Status.PENDING, prompt="pig", properties={"a": 1, "b": 1}), *seen]
    story += [Task(id="1", status=Status.FAILED, fail_reason="no"), Task(id="1", status=Status.COMPLETED, seed="7")]
    made: set[bytes] = set()
    for order in permutations(story):
        latest = bulk.Latest()
        for task in order:
            latest.add(task.to_json() + b"\n")
        made.update(latest.lines())
    merged = Task(id="1", status=Status.COMPLETED, seed="7", progress=90, preview_url="p3", prompt="pig")
    assert made == {msgspec.structs.replace(merged, properties={"a": 1, "b": 1}).to_json() + b"\n"}


def test_from_raw_reads_again_with_today_s_code_and_keeps_account_and_attempts(shell: Shell) -> None:
    attempts = (mjbridge.Attempt("spare", "apimart", "Unavailable", "down"),)
    stored = msgspec.structs.replace(
        mjbridge.normalize({"id": "1", **GRID}, "cometapi"), account="main", attempts=attempts
    )
    wrong = msgspec.structs.replace(stored, status=Status.UNKNOWN, image_url=None)
    strange = msgspec.structs.replace(stored, provider="gone")
    bare = Task(id="2", provider="cometapi", status=Status.FAILED)
    lines = b"\n".join(task.to_json() for task in (wrong, strange, bare))
    done = shell("normalize", "-", "--from-raw", "-q", stdin=lines)
    read, kept = tasks_in(done.stdout)
    assert read.to_json() == stored.to_json()
    assert kept == bare
    assert done.returncode == 3
    assert b"gone" in done.stderr


def test_a_canonical_record_passes_unchanged_whatever_provider_is_named(shell: Shell) -> None:
    stored = mjbridge.normalize({"id": "1", **GRID}, "octopusx").to_json() + b"\n"
    for provider in ("mjproxy", "apimart"):
        assert shell("normalize", "-", "--provider", provider, stdin=stored).stdout == stored
    (bare,) = tasks_in(shell("normalize", "-", "--no-raw", stdin=stored).stdout)
    assert bytes(bare.raw) == b""


def test_a_row_of_a_table_too_large_to_be_read_is_a_reject_by_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower_limit(monkeypatch)
    with closing(sqlite3.connect(tmp_path / "store")) as store:
        store.execute("create table records (id integer primary key, status, prompt)")
        prompts = ["a", "b", "x" * LIMIT, "y" * LIMIT, "c"]
        store.executemany("insert into records (status, prompt) values ('SUCCESS', ?)", [[each] for each in prompts])
        store.commit()
    rows = tables.blocks(f"sqlite:///{tmp_path / 'store'}", "records")
    made = list(bulk.batches(rows, Settings("mjproxy")))
    assert [task.prompt for batch in made for task in tasks_in(bytes(batch.lines))] == ["a", "b", "c"]
    rejects = [reject for batch in made for reject in batch.rejects]
    assert [reject.number for reject in rejects] == [3, 4]
    assert all(len(reject.record) == FIRST_BYTES and str(LIMIT) in reject.reason for reject in rejects)


def test_a_large_record_s_task_may_be_read_again_from_its_raw(shell: Shell) -> None:
    """As one with a picture in its prompt: what is written is larger than any record of a vendor's may be."""
    shell.write("in.jsonl", record_lines(2, prompt="x" * 10_000_000))
    for source, *more in (("in.jsonl", "--provider", "mjproxy"), ("out.jsonl", "--from-raw")):
        assert shell("normalize", source, *more, "-o", "out.jsonl").returncode == 0
    written = (shell.folder / "out.jsonl").read_bytes()
    assert [len(task.raw) > 10_000_000 for task in tasks_in(written)] == [True, True]
