"""From a record's bytes to a task's: mjbridge, the floor below it, and others doing the same work on the same core."""

import os
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from time import process_time
from typing import Any, Final

from msgspec import structs

from benchmarks import rules, samples
from benchmarks.report import Claim, Cost, Report
from benchmarks.rivals import Run, Sample, answers, floor, ours

FLOOR: Final = "floor: msgspec to a struct of the record and back"
NAMED: Final = "mjbridge, provider named, without raw"
RAW: Final = "mjbridge, provider named, with raw"
DETECTED: Final = "mjbridge, provider detected, without raw"
AT_ONCE: Final = "mjbridge, provider named, without raw, all at once"
PYDANTIC: Final = "pydantic, the same mapping, with models"
PYDANTIC_BARE: Final = "pydantic, the same mapping, at its fastest"
POLARS: Final = "Polars, what it can of it, one thread"
DUCKDB: Final = "DuckDB, the same mapping, one thread"

# These read record by record, and take turns at every so many; the others read all records at once, and so does
# mjbridge beside them: in a moment in which the machine is as slow.
_ONE_BY_ONE: Final = (FLOOR, NAMED, RAW, DETECTED, PYDANTIC, PYDANTIC_BARE)
_ALL_AT_ONCE: Final = (POLARS, AT_ONCE, DUCKDB)
_PIECE: Final = 10_000

_LEFT_OUT: Final[Mapping[str, Mapping[str, Any]]] = {POLARS: {"properties": {}}}
"""What a library cannot say, as it is where nobody says it: their keys may be any, and Polars has no such type."""


def measure(records: int, rounds: int) -> Report:
    """The least processor time for each piece in some rounds, in which the contestants take turns, on one core."""
    os.environ["POLARS_MAX_THREADS"] = "1"  # Polars reads it once, when it is imported
    with tempfile.TemporaryDirectory() as folder, _one_core():
        sample = _sample(Path(folder, "records.jsonl"), samples.records(records))
        contestants = _contestants()
        check_rules(contestants, Path(folder))
        check(contestants, sample)
        seconds = _least_seconds(contestants, sample, rounds)
    size = sum(map(len, sample.lines)) / records
    about = f"{records} records of {size:.0f} bytes on average, the least of {rounds} rounds on one core"
    micro = {name: 1e6 * spent / records for name, spent in seconds.items()}
    return Report(about, [Cost(name, value, "us a record") for name, value in micro.items()], _claims(micro))


def _contestants() -> dict[str, Run]:
    return {
        FLOOR: floor.run,
        NAMED: ours.run("mjproxy", keep_raw=False),
        RAW: ours.run("mjproxy", keep_raw=True),
        DETECTED: ours.run(None, keep_raw=False),
        AT_ONCE: ours.run("mjproxy", keep_raw=False),
        PYDANTIC: import_module("benchmarks.rivals.with_pydantic").run_with_models,
        PYDANTIC_BARE: import_module("benchmarks.rivals.with_pydantic").run,
        POLARS: import_module("benchmarks.rivals.with_polars").run,
        DUCKDB: import_module("benchmarks.rivals.with_duckdb").run(),
    }


def _claims(cost: Mapping[str, float]) -> list[Claim]:
    return [
        Claim("mjbridge without raw, of the floor's speed", cost[FLOOR] / cost[NAMED], "at least", 0.50),
        Claim("mjbridge with raw, of the floor's speed", cost[FLOOR] / cost[RAW], "at least", 0.45),
        Claim("detection, of the cost with the provider named", cost[DETECTED] / cost[NAMED], "at most", 1.15),
        Claim("mjbridge without raw, of pydantic's speed", cost[PYDANTIC] / cost[NAMED], "at least", 2.8),
        Claim("mjbridge without raw, of Polars' speed", cost[POLARS] / cost[AT_ONCE], "at least", 1.5),
        Claim("mjbridge without raw, of DuckDB's speed", cost[DUCKDB] / cost[AT_ONCE], "at least", 1.5),
    ]


def _sample(path: Path, records: Iterable[bytes]) -> Sample:
    lines = list(records)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return Sample(lines, path)


def _least_seconds(contestants: Mapping[str, Run], sample: Sample, rounds: int) -> dict[str, float]:
    turns = [_turn(contestants, sample) for _ in range(rounds)]
    return {name: sum(map(min, zip(*(turn[name] for turn in turns), strict=True))) for name in contestants}


def _turn(contestants: Mapping[str, Run], sample: Sample) -> dict[str, list[float]]:
    """All records with all contestants, and the time that each took of each piece.

    What slows the machine for a second slows whoever takes turns within it.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number, start in enumerate(range(0, len(sample.lines), _PIECE)):
        piece = Sample(sample.lines[start : start + _PIECE], sample.path)
        # Who comes first finds the records in no cache.
        first = number % len(_ONE_BY_ONE)
        for name in (*_ONE_BY_ONE[first:], *_ONE_BY_ONE[:first]):
            seconds[name].append(_seconds(contestants[name](piece)))
    for name in _ALL_AT_ONCE:
        seconds[name].append(_seconds(contestants[name](sample)))
    return seconds


def _seconds(work: Iterable[bytes]) -> float:
    start = process_time()
    deque(work, maxlen=0)
    return process_time() - start


def check_rules(contestants: Mapping[str, Run], folder: Path) -> None:
    """Nobody is fast by doing less: each rule of the mapping, also those that the timed records hardly need.

    Detection is asked of no record that was made by hand: most have not enough keys to tell a vendor by.
    """
    shown = _sample(folder / "rules.jsonl", rules.records())
    check({name: run for name, run in contestants.items() if name != DETECTED}, shown)


def check(contestants: Mapping[str, Run], sample: Sample) -> None:
    """Nobody is fast by being wrong: what a contestant writes is read as the task that mjbridge makes of the record."""
    for name in contestants.keys() - {FLOOR, NAMED}:
        left_out = _LEFT_OUT.get(name, {})
        pairs = zip(answers(contestants[NAMED], sample), answers(contestants[name], sample), strict=True)
        for number, (task, found) in enumerate(pairs, start=1):
            if structs.replace(task, **left_out) != found:
                raise ValueError(f"record {number}: {name} reads {found}, and mjbridge {task}")


@contextmanager
def _one_core() -> Generator[None, None, None]:
    """Where the system can, so that a library's own threads gain nothing."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
