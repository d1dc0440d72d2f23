"""`python -m benchmarks NAME`: one benchmark of the table."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

import msgspec

from benchmarks.report import Report

BENCHMARKS: Final = ("bridge", "normalize", "command")
"""The modules that measure, each so many records, or tasks, in so many rounds."""

RECORDS: Final = 200_000
ROUNDS: Final = 5


def count(text: str) -> int:
    """A number of things, at least one."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark that the command line names, and prints what it found."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="What mjbridge costs, beside others.")
    parser.add_argument("benchmark", choices=BENCHMARKS)
    parser.add_argument(
        "--records", type=count, default=RECORDS, help="how many records to make (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=count, default=ROUNDS, help="the best of so many counts (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of tables")
    chosen = parser.parse_args(arguments)
    try:
        measure: Callable[[int, int], Report] = import_module(f"benchmarks.{chosen.benchmark}").measure
        report = measure(chosen.records, chosen.rounds)
    except ImportError as error:
        parser.exit(2, f"it needs an extra ({error}): pip install 'mjbridge[benchmarks]'\n")
    sys.stdout.write(f"{msgspec.json.encode(report).decode() if chosen.json else report}\n")


if __name__ == "__main__":
    main()
