"""What `mjbridge normalize` shows on stderr: how far it is, and what became of all."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mjbridge.bulk import Latest, Summary
from mjbridge.cli.output import show_table

_SECONDS_BETWEEN_FRAMES: Final = 0.1
_SECONDS_BETWEEN_LINES: Final = 5.0


class Inputs(Protocol):
    """What is read: bytes in all, where that is known, and bytes so far."""

    total: int | None

    @property
    def position(self) -> int:
        """Bytes read so far."""
        ...


@contextmanager
def progress(inputs: Inputs, summary: Summary) -> Generator[Callable[[], None], None, None]:
    """What shows how far it is, with rate and time left: a bar on a terminal, elsewhere a line every few seconds."""
    console = Console(stderr=True, highlight=False, emoji=False)
    if not console.is_terminal:
        yield _progress_lines(inputs, summary)
    else:
        with progress_bar(console) as bar:
            row = bar.add_task("reading", total=inputs.total, shown="")

            last = time.monotonic()

            def update() -> None:
                nonlocal last
                elapsed = bar.tasks[0].elapsed or 0.0
                shown = f"{summary.records:,} records {_rate(summary.records, elapsed)}"
                is_due = time.monotonic() - last > _SECONDS_BETWEEN_FRAMES
                bar.update(row, completed=inputs.position, shown=shown, refresh=is_due)
                last = time.monotonic() if is_due else last

            yield update
            bar.update(row, total=inputs.position, completed=inputs.position)


def progress_bar(console: Console) -> Progress:
    """Without a thread that draws: workers are forked, and would inherit whatever lock it holds just then."""
    told = TextColumn("{task.fields[shown]}", markup=False)
    columns = (BarColumn(), TaskProgressColumn(), told, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    return Progress(*columns, console=console, auto_refresh=False)


def _progress_lines(inputs: Inputs, summary: Summary) -> Callable[[], None]:
    began = last = time.monotonic()

    def update() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _SECONDS_BETWEEN_LINES:
            return
        last, elapsed = now, now - began
        part = inputs.position / inputs.total if inputs.total else 0
        left = f", {part:.0%}, {elapsed * (1 - part) / part:.0f} s left" if part else ""
        click.echo(f"{summary.records:,} records {_rate(summary.records, elapsed)}{left}", err=True)

    return update


def _rate(records: int, seconds: float) -> str:
    return f"({records / seconds:,.0f}/s)" if seconds else ""


def show(summary: Summary, seconds: float, known: Latest | None) -> None:
    """The summary, on stderr."""
    rows = [(f"tasks of {provider}", status, count) for (provider, status), count in sorted(summary.tasks.items())]
    rows += [(f"issues at {path}", done, count) for (path, done), count in summary.issues.most_common()]
    counted = [(what, which, f"{count:,}") for what, which, count in [*rows, ("rejects", "", summary.rejects)]]
    show_table(("what", "which", "records"), counted, numbers=("records",), to_stderr=True)
    merged = f", merged to {known.size:,} tasks" if known else ""
    click.echo(f"{summary.records:,} records in {seconds:.1f} s {_rate(summary.records, seconds)}{merged}", err=True)
