"""Where `mjbridge normalize` writes: a file, a table or a device gets all of it or nothing."""

import bz2
import errno
import gzip
import lzma
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import zstandard
from pyarrow import parquet

from mjbridge import Task, arrow
from mjbridge.bulk import sinks
from mjbridge.bulk.files import whole_file
from tests.processes import PATIENCE, run, running, uncovered
from tests.record_lines import MANY, record_lines, tasks_in
from tests.shell import Shell


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
    plain = shell("normalize", "-", stdin=record_lines(100)).stdout
    shell("normalize", "-", "-o", f"out.jsonl{suffix}", stdin=record_lines(100))
    assert read((shell.folder / f"out.jsonl{suffix}").read_bytes()) == plain
    assert shell("normalize", f"out.jsonl{suffix}").stdout == plain


def test_what_changes_in_a_compressed_file_of_ours_is_noticed(shell: Shell) -> None:
    """Of the four formats zstd alone would have no checksum."""
    shell("normalize", "-", "-o", "out.zst", stdin=record_lines(1))
    assert zstandard.get_frame_parameters((shell.folder / "out.zst").read_bytes()).has_checksum


@pytest.mark.parametrize("name", ["out.parquet", "OUT.PARQUET"])
def test_parquet_holds_the_same_tasks(shell: Shell, name: str) -> None:
    lines = shell("normalize", "-", stdin=record_lines(1000)).stdout
    done = shell("normalize", "-", "-o", name, stdin=record_lines(1000))
    assert done.returncode == 0, done.stderr
    table = parquet.read_table(shell.folder / name)
    assert table.schema.equals(arrow.SCHEMA)
    found = [task for batch in table.to_batches() for task in arrow.tasks(batch)]
    assert found == tasks_in(lines)


def test_many_small_files_are_a_few_row_groups_of_parquet(tmp_path: Path) -> None:
    """Each file is a batch: to weigh all that are held at each of them would take many minutes here."""
    batch = Task(id="1").to_json() + b"\n"
    with sinks.sink(str(tmp_path / "out.parquet"), "") as file:
        for _ in range(4000):
            file.write(batch)
            file.write(b"")
    written = parquet.ParquetFile(tmp_path / "out.parquet").metadata
    assert (written.num_rows, written.num_row_groups) == (4000, 1)


def test_a_row_group_of_parquet_is_bounded_so_memory_is(tmp_path: Path) -> None:
    size = 2**20
    batch = Task(id="1", raw=msgspec.Raw(b'"%b"' % (b"x" * size))).to_json() + b"\n"
    with sinks.sink(str(tmp_path / "out.parquet"), "") as file:
        for _ in range(100):
            file.write(batch)
    written = parquet.ParquetFile(tmp_path / "out.parquet").metadata
    assert written.num_rows == 100
    assert max(written.row_group(each).num_rows for each in range(written.num_row_groups)) * size < 2**26


PIECES = [Random(number).randbytes(3_000_001) for number in range(5)]  # noqa: S311 bytes that no piece repeats, the same in each run; nothing here is secret


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
def test_a_file_that_may_not_have_its_name_is_told_by_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by that of the unfinished one, which nobody has heard of."""

    def replace(_part: Path, _target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), "part", None, "target")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(PermissionError) as caught:
        _write_pieces(tmp_path / "out")
    assert caught.value.filename == str(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_be_written_to_and_not_read_takes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its names come to the disk when the system brings them there."""
    opened = os.open

    def refusing(path: Any, flags: int, *more: Any) -> int:
        if path == tmp_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return opened(path, flags, *more)

    def may(_path: Path, _mode: int) -> bool:
        return False

    monkeypatch.setattr(os, "open", refusing)
    monkeypatch.setattr(os, "access", may)
    _write_pieces(tmp_path / "out")
    assert (tmp_path / "out").stat().st_size == sum(map(len, PIECES))


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
    shell.write("real.jsonl", record_lines(10))
    (shell.folder / "link.jsonl").symlink_to("real.jsonl")
    assert shell("normalize", "link.jsonl", "-o", "link.jsonl").returncode == 0
    assert (shell.folder / "link.jsonl").is_symlink()
    assert len(tasks_in((shell.folder / "real.jsonl").read_bytes())) == 10


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_who_may_read_a_file_stays_as_it_was(shell: Shell, mode: int) -> None:
    """Before there is anything to read in it, too."""
    shell.write("out.jsonl", b"").chmod(mode)
    with whole_file(str(shell.folder / "out.jsonl")) as file:
        (part,) = shell.folder.glob(".*.part")
        assert stat.S_IMODE(part.stat().st_mode) == mode
        file.write(b"{}\n")
    assert stat.S_IMODE((shell.folder / "out.jsonl").stat().st_mode) == mode


def test_a_device_is_written_to(shell: Shell) -> None:
    assert shell("normalize", "-", "-o", "/dev/null", stdin=record_lines(10)).returncode == 0
    full = shell("normalize", "-", "-o", "/dev/full", stdin=record_lines(10))
    assert (full.returncode, full.stderr.decode()) == (1, "mjbridge: /dev/full: No space left on device\n")


def test_a_pipe_is_written_to(shell: Shell) -> None:
    """As the shell's >(...) gives it, and /dev/stdout before a |."""
    piped = shell.process("normalize", "-q", "-", "-o", "/dev/stdout", stdin=record_lines(10))
    assert (piped.returncode, piped.stderr, len(piped.stdout.splitlines())) == (0, b"", 10)


@pytest.mark.parametrize("output", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.parquet"])
def test_a_full_disk_leaves_the_file_as_it_was(shell: Shell, output: str) -> None:
    shell.write(output, b"before")
    assert _on_a_full_disk(shell, output) == f"mjbridge: {output}: File too large"
    assert (shell.folder / output).read_bytes() == b"before"
    assert shell.files() == sorted(["in.jsonl", output])


@pytest.mark.parametrize("before", [0, 10])
def test_a_full_disk_leaves_a_database_as_it_was(shell: Shell, before: int) -> None:
    """SQLite's rollback is cut short by it, too."""
    if before:
        assert shell("normalize", "-", "-o", "sqlite:///tasks.db", stdin=record_lines(before)).returncode == 0
    files = {name: (shell.folder / name).read_bytes() for name in shell.files()}
    assert _on_a_full_disk(shell, "sqlite:///tasks.db") == "mjbridge: sqlite:///tasks.db: disk I/O error"
    assert {name: (shell.folder / name).read_bytes() for name in shell.files() if name != "in.jsonl"} == files


def _on_a_full_disk(shell: Shell, output: str) -> str:
    """What is said at last; the limit on the size of a file is a full disk to whoever writes."""
    lines = (record_lines(1, id=str(number), prompt=os.urandom(200).hex()) for number in range(2000))
    shell.write("in.jsonl", b"".join(lines))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    command = (sys.executable, "-m", "mjbridge", "normalize", "in.jsonl", "-o", output)
    done = run(*command, cwd=shell.folder, env=uncovered(shell.environment), preexec_fn=limit)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def _ended(
    shell: Shell,
    end: Callable[[int, int], None],
    number: int,
    *arguments: str,
    hang_up: signal.Handlers = signal.SIG_DFL,
) -> subprocess.CompletedProcess[bytes]:
    """`mjbridge normalize`, which would read for ever, ended once it has written, so that all its workers are at work.

    It has ended with the last process that can tell of anything. It does on a hang-up what `hang_up` says, though these
    tests may run under nohup.
    """
    command = (sys.executable, "-m", "mjbridge", "normalize", "-", *arguments)
    environment = uncovered(shell.environment)
    before = signal.signal(signal.SIGHUP, hang_up)
    with running(*command, cwd=shell.folder, env=environment, stdin=subprocess.PIPE) as process:
        signal.signal(signal.SIGHUP, before)
        assert process.stdin
        process.stdin.write(record_lines(MANY, prompt="x" * 1000))  # more than is handed out to two workers at once
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
    [
        (os.killpg, signal.SIGINT, 130),
        (os.kill, signal.SIGTERM, 143),
        (os.killpg, signal.SIGTERM, 143),
        (os.killpg, signal.SIGHUP, 129),
    ],
)
def test_ctrl_c_a_polite_end_and_a_closed_terminal_leave_nothing(
    shell: Shell, end: Callable[[int, int], None], number: int, code: int, workers: str
) -> None:
    """As a terminal sends it to all processes, and a service manager to one or all."""
    done = _ended(shell, end, number, "-o", "out.jsonl", "--workers", workers)
    assert (done.returncode, done.stderr.decode().strip().partition(":")[0]) == (code, "interrupted")
    assert b"Traceback" not in done.stderr
    assert shell.files() == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_nohup_runs_goes_on_without_its_terminal(shell: Shell, workers: str) -> None:
    arguments = ("-o", "out.jsonl", "--workers", workers)
    assert _ended(shell, os.killpg, signal.SIGHUP, *arguments, hang_up=signal.SIG_IGN).returncode == 0
    assert len((shell.folder / "out.jsonl").read_bytes().splitlines()) == MANY


def test_workers_end_with_a_parent_that_was_killed(shell: Shell) -> None:
    """And leave its part of a file behind, which is in nobody's way."""
    assert _ended(shell, os.kill, signal.SIGKILL, "-o", "out.jsonl", "--workers", "2").returncode == -signal.SIGKILL
    (part,) = shell.files()
    assert shell("normalize", "-", "-o", "out.jsonl", stdin=record_lines(1)).returncode == 0
    assert shell.files() == sorted([part, "out.jsonl"])


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
    shell.write(f"hidden/{module}.py", b"raise ImportError")
    shell.environment["PYTHONPATH"] = str(shell.folder / "hidden")
    done = shell.process("normalize", "-", "-o", output, stdin=record_lines(1))
    assert done.returncode == 2
    assert f"mjbridge[{extra}]" in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert shell.files() == []


def test_a_folder_that_is_not_there_is_one_message(shell: Shell) -> None:
    done = shell("normalize", "-", "-o", "nowhere/out.jsonl", stdin=b"{}")
    assert (done.returncode, done.stderr) == (1, b"mjbridge: nowhere/out.jsonl: No such file or directory\n")


def test_a_table_is_written_whole_or_not_at_all(shell: Shell) -> None:
    """Not even an empty one, or its file, is left behind."""
    done = _ended(shell, os.killpg, signal.SIGINT, "-o", "sqlite:///tasks.db")
    assert (done.returncode, done.stderr.decode().splitlines()[-1].partition(":")[0]) == (130, "interrupted")
    assert shell.files() == []
