"""The whole command, file to file, beside the loop inside it: its time by workers, and its peak memory by size."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from benchmarks import samples
from benchmarks.report import Claim, Cost, Report
from mjbridge import normalizer

LOOP: Final = "the loop in process, lines to lines"
LOOPS: Final = "the same in two processes at once, each"
ONE: Final = "mjbridge normalize, one worker"
TWO: Final = "mjbridge normalize, two workers"
ONE_GZIP: Final = "the same from gzip, one worker"
TWO_GZIP: Final = "the same from gzip, two workers"

# The system counts the pages of whoever starts a process towards its peak: so a small process starts it.
_STOPWATCH: Final = """
import json, os, sys, time
start = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(json.dumps([time.perf_counter() - start, usage.ru_maxrss]))
sys.exit(os.waitstatus_to_exitcode(status))
"""
_MEGABYTE: Final = 1_000_000
_TIMES_MORE: Final = 10
# So many times the source: the output is twice as long, and may be in memory more than once.
_MEMORY: Final = 4
# The unit of what the system says of a process's peak.
_PEAK_UNIT: Final = 1 if sys.platform == "darwin" else 1024


class Run(NamedTuple):
    """What one run of a command took: seconds by the clock, and megabytes at its peak."""

    seconds: float
    peak: float


def measure(records: int, rounds: int) -> Report:
    """The least seconds of some rounds, in which the contestants take turns; the peak also of ten times the records."""
    with tempfile.TemporaryDirectory() as folder:
        names = ("few.jsonl", "few.jsonl.gz", "many.jsonl", "tasks.jsonl")
        few, packed, many, output = (Path(folder) / name for name in names)
        _write(few, records)
        packed.write_bytes(gzip.compress(few.read_bytes()))
        turns = [
            {LOOP: _loop(few, output), LOOPS: _two_loops(few, Path(folder))}
            | {ONE: _command(few, output, 1), TWO: _command(few, output, 2)}
            | {ONE_GZIP: _command(packed, output, 1), TWO_GZIP: _command(packed, output, 2)}
            for _ in range(rounds)
        ]
        _write(many, _TIMES_MORE * records)
        peak, peak_of_many = turns[0][ONE].peak, _command(many, output, 1).peak
    seconds = {name: min(turn[name].seconds for turn in turns) for name in turns[0]}
    costs = [Cost(name, 1e6 * spent / records, "us a record") for name, spent in seconds.items()]
    costs += [
        Cost("two processes, of the speed of one, at the best", 2 * seconds[LOOP] / seconds[LOOPS], "times"),
        Cost(f"peak memory, {records} records", peak, "MB"),
        Cost(f"peak memory, {_TIMES_MORE * records} records", peak_of_many, "MB"),
    ]
    claims: list[Claim] = [
        Claim("one worker, of the time of the loop", seconds[ONE] / seconds[LOOP], "at most", 1.5),
        Claim("two workers, of the speed of one", seconds[ONE] / seconds[TWO], "at least", 1.6),
        Claim("peak memory, MB", peak, "at most", 150),
        Claim("peak memory of ten times the records", peak_of_many / peak, "at most", 1.1),
    ]
    return Report(f"{records} records, with raw, the least of {rounds} rounds by the clock", costs, claims)


def _write(path: Path, count: int) -> None:
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in samples.records(count))


def _loop(source: Path, output: Path) -> Run:
    """What the command cannot do without, on the file's lines."""
    _settle(source)
    start = perf_counter()
    read = normalizer("mjproxy")
    with source.open("rb") as lines, output.open("xb") as file:
        file.writelines(read(line).to_json() + b"\n" for line in lines)
    seconds = perf_counter() - start
    output.unlink()
    return Run(seconds, 0)


def _two_loops(source: Path, folder: Path) -> Run:
    """What two processes cannot do better, having nothing to say to each other: cores may share more than they tell."""
    outputs = [folder / "first.jsonl", folder / "second.jsonl"]
    with ProcessPoolExecutor(len(outputs)) as pool:
        runs = list(pool.map(_loop, repeat(source), outputs))
    return Run(max(run.seconds for run in runs), 0)


def _command(source: Path, output: Path, workers: int) -> Run:
    command = [sys.executable, "-m", "mjbridge", "normalize", str(source), "-o", str(output)]
    command += ["--workers", str(workers), "--provider", "mjproxy", "-q"]
    # What is installed has been compiled once; a checkout must be allowed to keep what it compiles.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    stopwatch = [sys.executable, "-S", "-c", _STOPWATCH, *command]
    _settle(source)
    told = subprocess.run(stopwatch, stdout=subprocess.PIPE, env=environment, check=True)  # noqa: S603 no shell: this Python, with paths that the benchmark made
    seconds, peak = json.loads(told.stdout)
    _check(source, output)
    output.unlink()
    return Run(seconds, peak * _PEAK_UNIT / _MEGABYTE)


def _settle(source: Path) -> None:
    """All start alike, in nobody's time: nothing waits for the disk, and the memory for the output is at hand.

    What is free for a second or two a virtual machine may give back to its host, and asks for it again page by page.
    """
    if hasattr(os, "sync"):
        os.sync()
    len(bytearray(b"\1") * (_MEMORY * source.stat().st_size))


def _check(source: Path, output: Path) -> None:
    """Nobody is fast by leaving records out."""
    given, made = _count(source), _count(output)
    if given != made:
        raise ValueError(f"mjbridge normalize made {made} tasks of {given} records")


def _count(path: Path) -> int:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        return sum(1 for _ in lines)
