"""Every benchmark runs, on few records: what it measures is its own business, that its answers agree is ours."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.normalize import DUCKDB, NAMED, POLARS, PYDANTIC, PYDANTIC_BARE, check, check_rules
from benchmarks.rivals import Run, Sample, ours, with_duckdb, with_polars, with_pydantic
from benchmarks.samples import records
from mjbridge import Status, normalize
from tests.environments import ROOT
from tests.processes import run


def _run(*arguments: str) -> str:
    """In a process of its own: a benchmark binds itself to a core."""
    sizes = ("--records", "200", "--rounds", "1")
    return run(sys.executable, "-m", "benchmarks", *arguments, *sizes, cwd=ROOT, check=True).stdout


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_measures_and_judges(name: str) -> None:
    report = json.loads(_run(name, "--json"))
    assert all(cost["value"] > 0 for cost in report["costs"])
    assert all(claim["ratio"] > 0 and claim["bound"] in {"at least", "at most"} for claim in report["claims"])
    assert report["claims"]


def test_its_tables_say_what_is_met() -> None:
    told = _run("normalize")
    assert "200 records" in told
    assert {line.rpartition(": ")[2] for line in told.splitlines() if " at least " in line} <= {"met", "MISSED"}


def test_the_records_are_the_same_every_time_and_as_they_are_described() -> None:
    lines = list(records(2000))
    assert lines == list(records(2000))
    tasks = [normalize(line, "mjproxy") for line in lines]
    assert 800 < sum(map(len, lines)) / len(lines) < 920
    assert {task.status for task in tasks} >= {Status.COMPLETED, Status.FAILED, Status.PROCESSING, Status.PENDING}
    assert 0.75 < sum(bool(task.buttons) for task in tasks) / len(tasks) < 0.85
    assert 0.03 < sum(task.submitted_at is None for task in tasks) / len(tasks) < 0.07
    assert len({task.id for task in tasks}) == len(tasks)


@pytest.mark.parametrize(
    ("written", "said"),
    [(b'{"id":"other","provider":"mjproxy"}', "record 1: a rival reads"), (b"", "argument 2 is shorter")],
)
def test_nobody_is_fast_by_being_wrong(written: bytes, said: str) -> None:
    sample = Sample(list(records(1)), Path())
    with pytest.raises(ValueError, match=said):
        check({NAMED: ours.run("mjproxy", keep_raw=False), "a rival": lambda _: [written]}, sample)


@pytest.mark.parametrize(
    ("name", "rival"),
    [
        (PYDANTIC, with_pydantic.run_with_models),
        (PYDANTIC_BARE, with_pydantic.run),
        (POLARS, with_polars.run),
    ],
)
def test_a_rival_reads_every_rule_as_mjbridge_does(name: str, rival: Run, tmp_path: Path) -> None:
    check_rules({NAMED: ours.run("mjproxy", keep_raw=False), name: rival}, tmp_path)


def test_duckdb_reads_every_rule_as_mjbridge_does(tmp_path: Path) -> None:
    check_rules({NAMED: ours.run("mjproxy", keep_raw=False), DUCKDB: with_duckdb.run()}, tmp_path)


@pytest.mark.parametrize(
    "rule", ["status success", "progress 0.65", "time 1740000000", "buttons in rows", "action EDITS", "described"]
)
def test_a_rival_that_passes_over_a_rule_is_told_which(rule: str, tmp_path: Path) -> None:
    """As if the record that shows it held nothing beside its id."""
    whole = ours.run("mjproxy", keep_raw=False)
    bare = msgspec.json.encode({"id": rule})

    def rival(sample: Sample) -> Iterable[bytes]:
        lines = [bare if msgspec.json.decode(line)["id"] == rule else line for line in sample.lines]
        return whole(Sample(lines, sample.path))

    with pytest.raises(ValueError, match=f"a rival reads Task\\(id='{rule}'"):
        check_rules({NAMED: whole, "a rival": rival}, tmp_path)


@pytest.mark.parametrize("arguments", [["elsewhere"], ["normalize", "--records", "0"]])
def test_misuse_is_told_with_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is found missing while a benchmark is imported, before anything is measured."""
    monkeypatch.setitem(sys.modules, "benchmarks.bridge", None)
    with pytest.raises(SystemExit) as left:
        main(["bridge"])
    assert left.value.code == 2
    assert "pip install 'mjbridge[benchmarks]'" in capsys.readouterr().err
