"""`mjbridge normalize` on real files: whatever goes in comes out as a task or a reject, whole or not at all."""

import bz2
import errno
import gzip
import io
import json
import lzma
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from pyarrow import parquet
from rich.console import Console

import mjbridge
from mjbridge import Status, Task, arrow, bulk
from mjbridge.bulk import Batch, Settings, Work, sinks
from mjbridge.bulk.conversion import converter
from mjbridge.bulk.sinks import whole_file
from mjbridge.cli.reading import progress_bar
from mjbridge.records import sources
from mjbridge.records.sources import Span
from mjbridge.records.windows import Block
from mjbridge.task import decode
from tests.processes import PATIENCE, run, running, uncovered
from tests.shell import Shell

MANY = 20_000
GRID: dict[str, Any] = {"status": "SUCCESS", "progress": "100%", "imageUrl": "https://cdn.example.com/g.png"}


def _lines(count: int, **more: Any) -> bytes:
    return b"".join(json.dumps({"id": str(number), **GRID, **more}).encode() + b"\n" for number in range(count))


def _tasks(lines: bytes) -> list[Task]:
    return [decode(line) for line in lines.splitlines()]


def _write(shell: Shell, name: str, content: bytes) -> Path:
    path = shell.folder / name
    path.write_bytes(content)
    return path


def _files(shell: Shell) -> list[str]:
    return sorted(path.name for path in shell.folder.iterdir() if path.is_file())


# Inputs and what is told of them.


def test_many_inputs_are_read_in_order_by_name_pattern_and_stdin(shell: Shell) -> None:
    _write(shell, "b.json", b'[{"id": "2"}]')
    _write(shell, "a.json", gzip.compress(b'{"id": "1"}'))
    done = shell("normalize", "?.json", "-", "--provider", "mjproxy", stdin=b"id,status\n3,SUCCESS\n")
    assert [task.id for task in _tasks(done.stdout)] == ["1", "2", "3"]
    assert done.returncode == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_named_pipe_is_read_as_a_file_is(shell: Shell, workers: str) -> None:
    """As a shell makes one of `<(zcat export.gz)`."""
    pipe = shell.folder / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(pipe.write_bytes, _lines(3))
        done = shell.process("normalize", "pipe", "-", "--provider", "mjproxy", "--workers", workers, stdin=_lines(2))
        writing.result()
    assert [task.id for task in _tasks(done.stdout)] == ["0", "1", "2", "0", "1"]
    assert done.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "out", "--rejects", "out"),
        ("-o", "out", "--issues", "./out"),
        ("--rejects", "-"),
        ("-o", "out", "--rejects", "-", "--issues", "-"),
        ("-o", ""),
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
    _write(shell, "in.jsonl", _lines(1))
    done = shell("normalize", "in.jsonl", *arguments)
    assert (done.returncode, done.stdout, _files(shell)) == (2, b"", ["in.jsonl"])


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
    lines = _write(shell, "in.jsonl", _lines(1) + b"7\n")
    (shell.folder / "link.jsonl").symlink_to("in.jsonl")
    assert shell("normalize", "-", "-q", "-o", "sqlite:///store", stdin=_lines(1)).returncode == 0
    before = {path.name: path.read_bytes() for path in shell.folder.iterdir()}
    command = (sys.executable, "-m", "mjbridge", "normalize", *arguments)
    with lines.open("rb") as stdin:
        done = run(*command, cwd=shell.folder, env=shell.environment, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert {path.name: path.read_bytes() for path in shell.folder.iterdir()} == before


def test_rejects_may_go_to_stdout_where_the_tasks_do_not(shell: Shell) -> None:
    done = shell("normalize", "-", "-q", "-o", "out.jsonl", "--rejects", "-", stdin=b"7\n")
    assert json.loads(done.stdout)["record"] == 7
    assert (done.returncode, _files(shell)) == (3, ["out.jsonl"])


def test_the_summary_counts_tasks_issues_and_rejects(shell: Shell) -> None:
    _write(shell, "in.jsonl", _lines(3) + _lines(2, status="ODD") + b"7\n")
    done = shell("normalize", "in.jsonl", "--provider", "mjproxy", "-o", "out.jsonl")
    said = done.stderr.decode()
    assert done.returncode == 3
    assert [line.replace(" ", "").strip("│") for line in said.splitlines() if line.startswith("│")] == [
        "tasksofmjproxy│completed│3",
        "tasksofmjproxy│unknown│2",
        "issuesat$.status│noknownstatus:readasunknown│2",
        "rejects││1",
    ]
    assert f"in.jsonl: record 6 at byte {len(_lines(3) + _lines(2, status='ODD'))}: " in said
    assert "6 records" in said


def test_quiet_says_nothing_but_what_was_rejected(shell: Shell) -> None:
    done = shell("normalize", "-", "-q", "--provider", "mjproxy", stdin=b'{"id":"1"}\n7\n')
    assert done.stderr.decode().splitlines() == [
        "-: record 2 at byte 11: a record is a JSON object, and this is a number"
    ]


def test_a_terminal_shows_a_bar_with_the_rate_and_the_time_left(shell: Shell) -> None:
    _write(shell, "in.jsonl", _lines(MANY))
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
    _write(shell, "in.jsonl", b"\n".join([_lines(1, progress="x").strip(), *bad]))
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
    _write(shell, "log.jsonl", "\n".join(map(json.dumps, story)).encode())
    for workers in ("1", "2"):
        done = shell.process("normalize", "log.jsonl", "--latest", "--provider", "mjproxy", "--workers", workers)
        second, first = _tasks(done.stdout)
        assert (second.id, second.status, second.prompt, second.parent_id) == ("2", Status.COMPLETED, "pig", "9")
        assert first.id == "1"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("form", [bytes, gzip.compress])
def test_each_reading_of_a_file_counts_its_records_from_one(
    shell: Shell, form: Callable[[bytes], bytes], workers: str
) -> None:
    _write(shell, "in", form(_lines(5000) + b"7\n"))
    names = ("in", "in", "in")
    done = shell.process("normalize", *names, "-q", "--provider", "mjproxy", "--workers", workers)
    assert [line.split(b" at ")[0] for line in done.stderr.splitlines()] == [b"in: record 5001"] * 3
    assert len(done.stdout.splitlines()) == 15_000


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_cannot_be_read_or_written_on_is_named(shell: Shell, workers: str) -> None:
    """A closed stdin, a disk that gives no more (as the memory of a process at address 0), a full one."""
    _write(shell, "in.jsonl", _lines(3))
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


def test_a_disk_that_fails_below_a_worker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(span: Span) -> Iterator[Block]:
        raise OSError(errno.EIO, "Input/output error")
        yield

    monkeypatch.setattr(sources, "blocks_of", failing)
    with pytest.raises(OSError, match=r"Input/output error: 'in\.jsonl'"):
        list(bulk.batches([Span("in.jsonl", 0, 1)], Settings("mjproxy"), workers=2))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_whose_records_are_no_text_is_one_reject_that_names_the_way(shell: Shell, workers: str) -> None:
    shell.folder.joinpath("one.jsonl").write_bytes(_lines(1))
    for output in ("one.parquet", "sqlite:///one.sqlite"):
        assert shell("normalize", "one.jsonl", "-o", output, "--provider", "mjproxy").returncode == 0
    inputs = ("one.parquet", "one.sqlite", "one.jsonl")
    done = shell.process("normalize", *inputs, "-q", "--workers", workers, "--provider", "mjproxy")
    assert (done.returncode, len(_tasks(done.stdout))) == (3, 1)
    parquet, sqlite = done.stderr.decode().splitlines()
    assert parquet.startswith("one.parquet: record 1 at byte 0: a Parquet file")
    assert sqlite.startswith("one.sqlite: record 1 at byte 0: an SQLite database")


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
    read, kept = _tasks(done.stdout)
    assert read.to_json() == stored.to_json()
    assert kept == bare
    assert done.returncode == 3
    assert b"gone" in done.stderr


def test_a_canonical_record_passes_unchanged_whatever_provider_is_named(shell: Shell) -> None:
    stored = mjbridge.normalize({"id": "1", **GRID}, "octopusx").to_json() + b"\n"
    for provider in ("mjproxy", "apimart"):
        assert shell("normalize", "-", "--provider", provider, stdin=stored).stdout == stored
    (bare,) = _tasks(shell("normalize", "-", "--no-raw", stdin=stored).stdout)
    assert bytes(bare.raw) == b""


@pytest.mark.parametrize("form", ["lines", "list", "gzip"])
def test_workers_change_no_byte(shell: Shell, form: str) -> None:
    """Neither of the tasks, nor of rejects and issues, nor in any form that workers cannot cut by themselves."""
    lines = (_lines(3000, prompt="é") + b"7\n" + _lines(2000, progress="x") + b"\n[]\n<html>\n") * 2
    content = {
        "lines": lines,
        "list": b"[" + b",".join(filter(None, lines.replace(b"<html>", b"8").splitlines())) + b"]",
        "gzip": gzip.compress(lines),
    }[form]
    _write(shell, "in", content)
    seen: set[tuple[bytes, ...]] = set()
    for workers in ("1", "2", "3"):
        names = [f"{name}{workers}" for name in ("out", "bad", "doubtful")]
        options = ("-o", names[0], "--rejects", names[1], "--issues", names[2], "--workers", workers)
        assert shell.process("normalize", "in", "--provider", "mjproxy", *options).returncode == 3
        seen.add(tuple((shell.folder / name).read_bytes() for name in names))
    ((tasks, _, issues),) = seen
    assert len(tasks.splitlines()) == 10_000
    assert len(issues.splitlines()) == 4000


def test_what_workers_share_is_used_again_without_a_line_lost() -> None:
    """Many more pieces than there are shares of memory, and some that fit in none."""
    many = [_lines(5, prompt="x" * size).splitlines() for size in (1, 2**20, 10, 100) * 10]
    blocks = [Block("log", list(lines), [0] * len(lines)) for lines in many]
    alone, together = (
        [bytes(batch.lines) for batch in bulk.batches(blocks, Settings("mjproxy"), workers)] for workers in (1, 2)
    )
    assert len(together) == len(blocks)
    assert together == alone


def test_a_worker_that_dies_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(settings: Settings) -> Callable[[object], None]:
        def die(work: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        return die

    monkeypatch.setattr("mjbridge.bulk.workers.converter", dying)
    with pytest.raises(mjbridge.MJBridgeError, match="worker process died"):
        list(bulk.batches(sources.blocks(_lines(1)), Settings("mjproxy"), workers=2))


def test_ctrl_c_reaches_workers_and_is_not_theirs_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(settings: Settings) -> Callable[[Work], Batch]:
        convert = converter(settings)

        def answer(work: Work) -> Batch:
            signal.raise_signal(signal.SIGINT)
            return convert(work)

        return answer

    monkeypatch.setattr("mjbridge.bulk.workers.converter", interrupted)
    (batch,) = bulk.batches(sources.blocks(_lines(1)), Settings("mjproxy"), workers=2)
    assert batch.records == 1


# Where tasks go.


@pytest.mark.parametrize(
    ("suffix", "read"),
    [
        ("", bytes),
        (".gz", gzip.decompress),
        (".bz2", bz2.decompress),
        (".xz", lzma.decompress),
        (".zst", zstandard.ZstdDecompressor().decompressobj().decompress),
    ],
)
def test_lines_are_compressed_as_the_suffix_says_and_read_back(
    shell: Shell, suffix: str, read: Callable[[bytes], bytes]
) -> None:
    plain = shell("normalize", "-", stdin=_lines(100)).stdout
    shell("normalize", "-", "-o", f"out.jsonl{suffix}", stdin=_lines(100))
    assert read((shell.folder / f"out.jsonl{suffix}").read_bytes()) == plain
    assert shell("normalize", f"out.jsonl{suffix}").stdout == plain


def test_what_changes_in_a_compressed_file_of_ours_is_noticed(shell: Shell) -> None:
    """Of the four formats zstd alone would have no checksum."""
    shell("normalize", "-", "-o", "out.zst", stdin=_lines(1))
    assert zstandard.get_frame_parameters((shell.folder / "out.zst").read_bytes()).has_checksum


@pytest.mark.parametrize("name", ["out.parquet", "OUT.PARQUET"])
def test_parquet_holds_the_same_tasks(shell: Shell, name: str) -> None:
    lines = shell("normalize", "-", stdin=_lines(1000)).stdout
    done = shell("normalize", "-", "-o", name, stdin=_lines(1000))
    assert done.returncode == 0, done.stderr
    table = parquet.read_table(shell.folder / name)
    assert table.schema.equals(arrow.SCHEMA)
    found = [task for batch in table.to_batches() for task in arrow.tasks(batch)]
    assert found == _tasks(lines)


def test_a_row_group_of_parquet_is_bounded_so_memory_is(tmp_path: Path) -> None:
    size = 2**20
    batch = Task(id="1", raw=msgspec.Raw(b'"%b"' % (b"x" * size))).to_json() + b"\n"
    with sinks.sink(str(tmp_path / "out.parquet"), "") as file:
        for _ in range(100):
            file.write(batch)
    written = parquet.ParquetFile(tmp_path / "out.parquet").metadata
    assert written.num_rows == 100
    assert max(written.row_group(each).num_rows for each in range(written.num_row_groups)) * size < 2**26


PIECES = [bytes([number]) * 3_000_001 for number in range(5)]


def _write_pieces(path: Path) -> None:
    with whole_file(str(path)) as file:
        for piece in PIECES:
            file.write(memoryview(piece))


def test_a_file_of_many_megabytes_is_whole(tmp_path: Path) -> None:
    _write_pieces(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"".join(PIECES)


def test_a_file_gets_its_name_once_it_is_on_the_disk_and_then_the_name_goes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No power cut shows: only what the system is asked for does."""
    asked: list[tuple[bool, int, bool]] = []

    def fsync(descriptor: int) -> None:
        about = os.fstat(descriptor)
        is_folder = os.path.samestat(about, tmp_path.stat())
        asked.append((is_folder, 0 if is_folder else about.st_size, (tmp_path / "out").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    _write_pieces(tmp_path / "out")
    assert asked == [(False, sum(map(len, PIECES)), False), (True, 0, True)]


@pytest.mark.skipif(sys.platform != "linux", reason="only there the system takes such advice")
def test_a_file_goes_to_the_disk_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advised: list[tuple[int, int, int]] = []

    def fadvise(_file: int, start: int, size: int, advice: int) -> None:
        advised.append((start, size, advice))

    monkeypatch.setattr(os, "posix_fadvise", fadvise)
    _write_pieces(tmp_path / "out")
    ends = [start + size for start, size, _ in advised]
    assert [start for start, _, _ in advised] == [0, *ends[:-1]]
    assert {advice for _, _, advice in advised} == {os.POSIX_FADV_DONTNEED}
    assert sum(map(len, PIECES)) - ends[-1] < 2**23


def test_an_output_may_be_its_own_input_and_a_link_stays_a_link(shell: Shell) -> None:
    _write(shell, "real.jsonl", _lines(10))
    (shell.folder / "link.jsonl").symlink_to("real.jsonl")
    assert shell("normalize", "link.jsonl", "-o", "link.jsonl").returncode == 0
    assert (shell.folder / "link.jsonl").is_symlink()
    assert len(_tasks((shell.folder / "real.jsonl").read_bytes())) == 10


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_who_may_read_a_file_stays_as_it_was(shell: Shell, mode: int) -> None:
    """Before there is anything to read in it, too."""
    _write(shell, "out.jsonl", b"").chmod(mode)
    with whole_file(str(shell.folder / "out.jsonl")) as file:
        (part,) = shell.folder.glob(".*.part")
        assert stat.S_IMODE(part.stat().st_mode) == mode
        file.write(b"{}\n")
    assert stat.S_IMODE((shell.folder / "out.jsonl").stat().st_mode) == mode


def test_a_device_is_written_to(shell: Shell) -> None:
    assert shell("normalize", "-", "-o", "/dev/null", stdin=_lines(10)).returncode == 0
    full = shell("normalize", "-", "-o", "/dev/full", stdin=_lines(10))
    assert (full.returncode, full.stderr.decode()) == (1, "mjbridge: /dev/full: No space left on device\n")


def test_a_pipe_is_written_to(shell: Shell) -> None:
    """As the shell's >(...) gives it, and /dev/stdout before a |."""
    piped = shell.process("normalize", "-q", "-", "-o", "/dev/stdout", stdin=_lines(10))
    assert (piped.returncode, piped.stderr, len(piped.stdout.splitlines())) == (0, b"", 10)


@pytest.mark.parametrize("output", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.parquet"])
def test_a_full_disk_leaves_the_file_as_it_was(shell: Shell, output: str) -> None:
    """As the limit on the size of a file does, which is a full disk to whoever writes."""
    _write(shell, output, b"before")
    _write(shell, "in.jsonl", b"".join(_lines(1, prompt=os.urandom(200).hex()) for _ in range(2000)))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    command = (sys.executable, "-m", "mjbridge", "normalize", "in.jsonl", "-o", output)
    done = run(*command, cwd=shell.folder, env=uncovered(shell.environment), preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"mjbridge: {output}: File too large"
    assert "Traceback" not in done.stderr
    assert (shell.folder / output).read_bytes() == b"before"
    assert _files(shell) == sorted(["in.jsonl", output])


def _ended(
    shell: Shell, end: Callable[[int, int], None], number: int, *arguments: str
) -> subprocess.CompletedProcess[bytes]:
    """`mjbridge normalize`, which would read for ever, ended once it has written, so that all its workers are at work.

    It has ended with the last process that can tell of anything.
    """
    command = (sys.executable, "-m", "mjbridge", "normalize", "-", *arguments)
    with running(*command, cwd=shell.folder, env=uncovered(shell.environment), stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(_lines(MANY))
        process.stdin.flush()
        while not any(path.is_file() and path.stat().st_size for path in shell.folder.iterdir()):
            assert process.poll() is None
            time.sleep(0.01)
        end(process.pid, number)
        _, said = process.communicate(timeout=PATIENCE / 2)
    return subprocess.CompletedProcess(command, process.returncode, stderr=said)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("end", "number", "code"),
    [(os.killpg, signal.SIGINT, 130), (os.kill, signal.SIGTERM, 143), (os.killpg, signal.SIGTERM, 143)],
)
def test_ctrl_c_and_a_polite_end_leave_nothing(
    shell: Shell, end: Callable[[int, int], None], number: int, code: int, workers: str
) -> None:
    """As a terminal sends it to all processes, and a service manager to one or all."""
    done = _ended(shell, end, number, "-o", "out.jsonl", "--workers", workers)
    assert (done.returncode, done.stderr.decode().strip().partition(":")[0]) == (code, "interrupted")
    assert b"Traceback" not in done.stderr
    assert _files(shell) == []


def test_workers_end_with_a_parent_that_was_killed(shell: Shell) -> None:
    """And leave its part of a file behind, which is in nobody's way."""
    assert _ended(shell, os.kill, signal.SIGKILL, "-o", "out.jsonl", "--workers", "2").returncode == -signal.SIGKILL
    (part,) = _files(shell)
    assert shell("normalize", "-", "-o", "out.jsonl", stdin=_lines(1)).returncode == 0
    assert _files(shell) == sorted([part, "out.jsonl"])


def test_a_part_of_a_file_that_is_another_s_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def token(_bytes: int) -> str:
        return "taken"

    monkeypatch.setattr("secrets.token_hex", token)
    (tmp_path / ".out.taken.part").write_bytes(b"another's")
    with pytest.raises(FileExistsError), whole_file(str(tmp_path / "out")):
        pass
    assert (tmp_path / ".out.taken.part").read_bytes() == b"another's"


def test_two_write_to_one_file_and_the_last_to_end_is_there(tmp_path: Path) -> None:
    """Also as threads of one process."""
    with whole_file(str(tmp_path / "out")) as first:
        with whole_file(str(tmp_path / "out")) as second:
            second.write(b"second")
        first.write(b"first")
    assert (tmp_path / "out").read_bytes() == b"first"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("module", "output", "extra"),
    [
        ("pyarrow", "out.parquet", "arrow"),
        ("sqlalchemy", "sqlite:///tasks.db", "sql"),
        ("zstandard", "out.zst", "zstd"),
    ],
)
def test_a_missing_extra_is_named(shell: Shell, module: str, output: str, extra: str) -> None:
    (shell.folder / "hidden").mkdir()
    _write(shell, f"hidden/{module}.py", b"raise ImportError")
    shell.environment["PYTHONPATH"] = str(shell.folder / "hidden")
    done = shell.process("normalize", "-", "-o", output, stdin=_lines(1))
    assert done.returncode == 2
    assert f"mjbridge[{extra}]" in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert _files(shell) == []


def test_a_folder_that_is_not_there_is_one_message(shell: Shell) -> None:
    done = shell("normalize", "-", "-o", "nowhere/out.jsonl", stdin=b"{}")
    assert (done.returncode, done.stderr) == (1, b"mjbridge: nowhere/out.jsonl: No such file or directory\n")


def test_a_table_is_written_whole_or_not_at_all(shell: Shell) -> None:
    """Not even an empty one, or its file, is left behind."""
    done = _ended(shell, os.killpg, signal.SIGINT, "-o", "sqlite:///tasks.db")
    assert (done.returncode, done.stderr.decode().splitlines()[-1].partition(":")[0]) == (130, "interrupted")
    assert _files(shell) == []
