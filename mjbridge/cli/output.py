"""What a command shows: progress on stderr, results on stdout."""

import sys
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Final, Protocol

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from mjbridge import downloads
from mjbridge.printing import printable
from mjbridge.task import Task

_BOUNDLESS: Final = 10**6
"""Columns of a line that ends nowhere."""
_NARROWEST: Final = 7
"""Columns that a folded column of a table has at least."""
_BORDER: Final = 3
"""Columns between two columns of a table."""


class OnUpdate(Protocol):
    """Called with each change of a task."""

    def __call__(self, task: Task) -> None:
        """Show the change."""
        ...


@contextmanager
def progress() -> Generator[OnUpdate, None, None]:
    """Show a task's changes: a bar on a terminal, one line a change elsewhere."""
    console = Console(stderr=True, highlight=False, emoji=False)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        row = bar.add_task("asking", total=100)

        def update(task: Task) -> None:
            bar.update(row, description=printable(f"{task.ref} {task.status}"), completed=_percent(task))

        yield update


@contextmanager
def saving() -> Generator[Callable[[downloads.Progress], None], None, None]:
    """Show files on their way: a bar each on a terminal. Elsewhere the result tells their paths soon enough."""
    console = Console(stderr=True, highlight=False, emoji=False)
    seen: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        def update(progress: downloads.Progress) -> None:
            if progress.name not in seen:
                seen[progress.name] = bars.add_task(progress.name, total=progress.size)
            bars.update(seen[progress.name], completed=progress.received)

        yield update


def _lines(console: Console) -> OnUpdate:
    shown = ""

    def update(task: Task) -> None:
        nonlocal shown
        line = f"{task.ref} {task.status} {_percent(task)}%"
        if line != shown:
            console.print(printable(line), soft_wrap=True, markup=False)
        shown = line

    return update


def _percent(task: Task) -> int:
    return task.progress or 0


def show_task(task: Task, saved: Sequence[Path], *, as_json: bool) -> None:
    """A task for people, or as one line of JSON, and where its files are as a second."""
    if as_json:
        write_line(task.to_json())
        if saved:
            write_paths(task.ref, saved)
        return
    console = Console(highlight=False, emoji=False)
    console.print(printable(f"{task.ref} {task.status}"), markup=False, soft_wrap=True)
    for name, values in _facts(task, saved):
        for label, value in zip_longest([name], values, fillvalue=""):
            console.print(printable(f"  {label:<8} {value}"), markup=False, soft_wrap=True)


def _facts(task: Task, saved: Sequence[Path]) -> Iterator[tuple[str, Sequence[str]]]:
    facts: dict[str, Sequence[str]] = {
        "prompt": [task.prompt or ""],
        "reason": [task.fail_reason or ""],
        "picture": [task.image_url or ""],
        "singles": task.image_urls,
        "videos": task.video_urls,
        "texts": task.texts,
        "buttons": ["  ".join(button.label or button.emoji or button.kind for button in task.buttons)],
        "saved": [str(path) for path in saved],
    }
    return ((name, values) for name, values in facts.items() if any(values))


def show_table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    copied: Collection[str] = (),
    numbers: Collection[str] = (),
    to_stderr: bool = False,
) -> None:
    """A table, in which nothing is ever cut: as wide as it is, or on a terminal, folded into its width.

    What stands in the `copied` columns is copied into other commands: its words are folded last. `numbers` stand right.
    """
    console = Console(stderr=to_stderr, highlight=False, emoji=False)
    table = Table(*(Column(name, overflow="fold", justify="right" if name in numbers else "left") for name in head))
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    width = console.measure(table, options=console.options.update_width(_BOUNDLESS)).maximum
    if not console.file.isatty():
        console.width = width
    elif width > console.width:
        _keep_words(table, [column for column in table.columns if column.header in copied], console.width)
    console.print(table)


def _keep_words(table: Table, copied: Sequence[Column], width: int) -> None:
    """Let the other columns give way, as far as they can."""
    longest = [
        max(cell_len(word) for cell in (column.header, *column.cells) for word in str(cell).split())
        for column in copied
    ]
    others = len(table.columns) - len(copied)
    if sum(longest) + _NARROWEST * others + _BORDER * len(table.columns) < width:
        for column, word in zip(copied, longest, strict=True):
            column.width = word


def write_paths(ref: str, paths: Sequence[Path]) -> None:
    """Where a task's files are, as one line of JSON."""
    write_line(msgspec.json.encode({"ref": ref, "paths": [str(path) for path in paths]}))


def write_line(line: bytes) -> None:
    """One line on stdout, byte for byte."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
