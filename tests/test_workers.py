"""Several processes at work on one file: the same bytes as one, and an end for each of them."""

import errno
import gzip
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import mjbridge
from mjbridge import bulk
from mjbridge.bulk import Batch, Settings, Work
from mjbridge.bulk.conversion import Put, converter
from mjbridge.records import sources
from mjbridge.records.sources import Span
from mjbridge.records.windows import Block
from tests.record_lines import record_lines
from tests.shell import Shell


@pytest.mark.parametrize("form", ["lines", "list", "lines and a list", "gzip"])
def test_workers_change_no_byte(shell: Shell, form: str) -> None:
    """Neither of the tasks, nor of rejects and issues, nor in any form that workers cannot cut by themselves."""
    half = record_lines(3000, prompt="é") + b"7\n" + record_lines(2000, progress="x") + b"\n[]\n<html>\n"
    lines = half * 2
    content = {
        "lines": lines,
        "list": b"[" + b",".join(filter(None, lines.replace(b"<html>", b"8").splitlines())) + b"]",
        "lines and a list": half + b"[\n" + half.replace(b"}\n", b"},\n") + b"]\n",
        "gzip": gzip.compress(lines),
    }[form]
    shell.write("in", content)
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
    """Many more pieces than there are rooms of memory, and some that fit in none."""
    many = [record_lines(5, prompt="x" * size).splitlines() for size in (1, 2**20, 10, 2**21, 100) * 10]
    blocks = [Block("log", list(lines), [0] * len(lines)) for lines in many]
    alone, together = (
        b"".join(bytes(batch.lines) for batch in bulk.batches(blocks, Settings("mjproxy"), workers))
        for workers in (1, 2)
    )
    assert len(together.splitlines()) == 5 * len(blocks)
    assert together == alone


@pytest.mark.skipif(sys.platform != "linux", reason="lines are shared where processes are forked")
def test_lines_that_outgrow_their_memory_stay_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece's first lines fit, and those behind them come another way."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(record_lines(2000, prompt="x" * 200))
    spans = sources.spans(str(path))
    assert spans
    alone = b"".join(bytes(batch.lines) for batch in bulk.batches(spans, Settings("mjproxy")))
    monkeypatch.setattr("mjbridge.bulk.rooms._ROOM", len(alone) // 3)
    batches = bulk.batches(spans, Settings("mjproxy"), workers=2)
    assert b"".join(bytes(batch.lines) for batch in batches) == alone


def test_workers_that_share_no_memory_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where processes are not forked, work and lines come another way."""
    records = record_lines(10_000, prompt="x" * 200)
    alone = b"".join(bytes(batch.lines) for batch in bulk.batches(sources.blocks(records), Settings("mjproxy")))
    monkeypatch.setattr(sys, "platform", "darwin")
    batches = bulk.batches(sources.blocks(records), Settings("mjproxy"), workers=2)
    assert b"".join(bytes(batch.lines) for batch in batches) == alone


@pytest.mark.skipif(sys.platform != "linux", reason="lines are shared where processes are forked")
def test_a_batch_s_lines_are_not_to_be_had_once_the_next_is_asked_for() -> None:
    """Their memory is used again: better an error than another batch's tasks."""
    blocks = [Block(name, list(record_lines(2).splitlines()), [0, 0]) for name in ("log", "other")]
    made = bulk.batches(blocks, Settings("mjproxy"), workers=2)
    lines = next(made).lines
    assert len(bytes(lines).splitlines()) == 2
    assert list(made)
    with pytest.raises(ValueError, match="released"):
        bytes(lines)


def test_a_disk_that_fails_below_a_worker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(span: Span) -> Iterator[Block]:
        raise OSError(errno.EIO, "Input/output error")
        yield

    monkeypatch.setattr(sources, "blocks_of", failing)
    with pytest.raises(OSError, match=r"Input/output error: 'in\.jsonl'"):
        list(bulk.batches([Span("in.jsonl", 0, 1)], Settings("mjproxy"), workers=2))


def test_a_worker_that_dies_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(settings: Settings) -> Callable[[Sequence[Work], Put], None]:
        def die(work: Sequence[Work], put: Put) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        return die

    monkeypatch.setattr("mjbridge.bulk.workers.converter", dying)
    with pytest.raises(mjbridge.MJBridgeError, match="worker process died"):
        list(bulk.batches(sources.blocks(record_lines(1)), Settings("mjproxy"), workers=2))


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked")
def test_ctrl_c_while_workers_are_forked_ends_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes between the first and the second of them."""
    fork, forked = os.fork, list[int]()

    def interrupted() -> int:
        if forked:
            os.kill(os.getpid(), signal.SIGINT)
        forked.append(fork())
        return forked[-1]

    monkeypatch.setattr(os, "fork", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(bulk.batches(sources.blocks(record_lines(1)), Settings("mjproxy"), workers=3))
    assert not multiprocessing.active_children()


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked")
def test_workers_that_the_system_refuses_are_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that were forked before it did are ended."""
    fork, forked = os.fork, list[int]()

    def refused() -> int:
        if forked:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        forked.append(fork())
        return forked[0]

    monkeypatch.setattr(os, "fork", refused)
    with pytest.raises(mjbridge.MJBridgeError, match=r"so many workers cannot be started \(.*unavailable\): try fewer"):
        list(bulk.batches(sources.blocks(record_lines(1)), Settings("mjproxy"), workers=3))
    assert not multiprocessing.active_children()


def test_ctrl_c_reaches_workers_and_is_not_theirs_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(settings: Settings) -> Callable[[Sequence[Work], Put], Batch]:
        convert = converter(settings)

        def answer(work: Sequence[Work], put: Put) -> Batch:
            signal.raise_signal(signal.SIGINT)
            return convert(work, put)

        return answer

    monkeypatch.setattr("mjbridge.bulk.workers.converter", interrupted)
    (batch,) = bulk.batches(sources.blocks(record_lines(1)), Settings("mjproxy"), workers=2)
    assert batch.records == 1
