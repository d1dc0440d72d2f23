"""`mjbridge normalize`: stored records of any vendor, by the file, as canonical tasks."""

import errno
import glob
import io
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from pathlib import Path
from typing import IO, Any, Final

import click

from mjbridge import bulk, plugins
from mjbridge.bulk import Batch, Latest, Settings, Summary, Work
from mjbridge.bulk.files import file_of, lines_file, naming
from mjbridge.bulk.sinks import sink
from mjbridge.errors import MJBridgeError
from mjbridge.records import sources
from mjbridge.records.sources import Span
from mjbridge.records.windows import Block

SOME_REJECTED: Final = 3

_NOT_WRITTEN: Final = frozenset(
    {".arrow", ".csv", ".db", ".feather", ".orc", ".sqlite", ".sqlite3", ".tsv", ".xlsx", ".zstd"}
)

_SHOWN_REJECTS: Final = 20
STDIN: Final = "-"
_STDIN_FILE: Final = "/dev/stdin"


@click.command()
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option("-o", "--output", metavar="FILE|URL", default="-", help="Where the tasks go (default: stdout).")
@click.option("--from", "database", metavar="URL", help="Read a table of this database instead of files.")
@click.option("--table", metavar="NAME", help="The table to read (its schema before it: archive.tasks).")
@click.option("--into", metavar="NAME", help="The table to write to, of the database -o names (default: tasks).")
@click.option("--provider", metavar="NAME", help="Whose records they are (default: each tells by itself).")
@click.option("--latest", is_flag=True, help="One task per provider, account and id: all its records, merged.")
@click.option("--from-raw", is_flag=True, help="Read canonical tasks again from their raw record.")
@click.option("--no-raw", is_flag=True, help="Leave the vendor's record out of each task.")
@click.option("--rejects", metavar="FILE", help="Write what is no task, as JSON lines.")
@click.option("--issues", metavar="FILE", help="Write each value that could not be taken as it is, as JSON lines.")
@click.option(
    "--workers", metavar="N", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes to read in."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--json", is_flag=True, expose_value=False, help="Accepted for scripts: tasks are JSON lines anyway.")
def normalize(
    inputs: tuple[str, ...],
    output: str,
    database: str | None,
    table: str | None,
    into: str | None,
    provider: str | None,
    latest: bool,
    from_raw: bool,
    no_raw: bool,
    rejects: str | None,
    issues: str | None,
    workers: int,
    quiet: bool,
) -> int:
    """Read stored records of any vendor as canonical tasks.

    Each record of every INPUT becomes one line of JSON.

    An INPUT is a file, a pattern ('exports/*.json.gz') or - for stdin: JSON lines, a JSON document (a record, a list, a
    page, several in a row) or CSV; plain, gzip, bzip2, xz or zstd. What it is, its content tells.

    \b
      mjbridge normalize export.json.gz
      mjbridge normalize 'logs/*.jsonl' --latest -o tasks.parquet
      mjbridge normalize --from sqlite:///one-api.db --table midjourneys -o tasks.jsonl.zst

    \b
    -o writes, by suffix: JSON lines (.gz .bz2 .xz .zst compressed), .parquet; or, by URL, a SQL table (--into).
    The file or table changes once all is read, or not at all.

    What is no task is told on stderr with file, record number and byte offset, and the others still come out.
    Exit codes: 0 all were read, 3 some were rejected, 1 failure, 2 misuse.
    """
    paths = _paths(inputs, database, table)
    _check_targets(output, rejects, issues)
    _check_inputs([*paths, *([database] if database else [])], output, rejects, issues)
    if into is not None and "://" not in output:
        raise click.UsageError("--into names a table: name its database with -o URL")
    if provider is not None:
        plugins.load(provider)
    settings = Settings(provider, keep_raw=not no_raw, from_raw=from_raw)
    found = _Inputs(database, table, paths, in_spans=workers > 1)
    summary = Summary()
    began = time.monotonic()
    with ExitStack() as stack:
        out = stack.enter_context(sink(output, into or "tasks", database))
        tell = _teller(stack, summary, rejects, issues)
        work = stack.enter_context(closing(found.work()))
        made = stack.enter_context(closing(bulk.batches(work, settings, workers)))
        known = Latest() if latest else None
        show = stack.enter_context(_progress(found, summary, quiet=quiet))
        take = known.add if known else out.write
        for batch in made:
            summary.add(batch)
            take(batch.lines)
            tell(batch)
            show()
        for lines in known.lines() if known else ():
            out.write(lines)
        if summary.rejects and rejects is None and _is_read(output, paths):
            raise MJBridgeError(f"{output}: not replaced, for its rejects would be lost: add --rejects FILE")
    if not quiet:
        _show(summary, time.monotonic() - began, known)
    return SOME_REJECTED if summary.rejects else 0


def _progress(inputs: "_Inputs", summary: Summary, *, quiet: bool) -> AbstractContextManager[Callable[[], None]]:
    if quiet:
        return nullcontext(lambda: None)
    from mjbridge.cli import reading  # noqa: PLC0415 who wants to see nothing waits for no rich

    return reading.progress(inputs, summary)


def _show(summary: Summary, seconds: float, known: Latest | None) -> None:
    from mjbridge.cli import reading  # noqa: PLC0415 --quiet shows no table

    reading.show(summary, seconds, known)


def _check_targets(output: str, *others: str | None) -> None:
    """`UsageError` where two kinds of output would go to one place, or one to none."""
    aside = [other for other in others if other is not None]
    named = [output, *aside]
    if not all(named) or any(each.endswith(os.sep) and "://" not in each for each in named):
        raise click.UsageError("a file needs a name, and what ends in a slash is a folder")
    for other in (each for each in named if "://" not in each and Path(each).suffix.lower() in _NOT_WRITTEN):
        ways = "JSON lines (.gz .bz2 .xz .zst), .parquet, or a table of a database by its URL (-o sqlite:///tasks.db)"
        raise click.UsageError(f"{other}: what is written is {ways}")
    for other in (each for each in aside if "://" in each or Path(each).suffix.lower() == ".parquet"):
        raise click.UsageError(f"{other}: rejects and issues are written as JSON lines (.gz .bz2 .xz .zst)")
    files = _files(named)
    if len(set(files)) < len(files):
        raise click.UsageError("tasks, rejects and issues go to different places: name a file for each")


def _check_inputs(inputs: Sequence[str], output: str, *others: str | None) -> None:
    """`UsageError` where what is read would be replaced by something less."""
    less = [other for other in others if other is not None]
    if "://" not in output and any("://" in name for name in inputs):
        less.append(output)  # the tasks of one table; a file of records becomes the same records, as tasks
    for name in (each for each in less if _is_read(each, inputs)):
        raise click.UsageError(f"{name} is read, and would be lost: name another file")


def _is_read(target: str, inputs: Iterable[str]) -> bool:
    read = _files(_STDIN_FILE if name == STDIN else name for name in inputs)
    return not set(_files([target])).isdisjoint(read)


def _files(names: Iterable[str]) -> list[str]:
    """The files that these names lead to; devices and pipes are none, and are no place that two could not share."""
    files = map(file_of, names)
    return [os.path.realpath(each) for each in files if not Path(each).exists() or Path(each).is_file()]


def _paths(inputs: Sequence[str], database: str | None, table: str | None) -> list[str]:
    """The files that are meant, each of which is there; `UsageError` where nothing is."""
    if bool(database) != bool(table):
        raise click.UsageError("--from and --table go together: the database's URL and its table")
    if bool(database) == bool(inputs):
        raise click.UsageError("name the files to read (- is stdin), or a table with --from URL --table NAME")
    return [path for each in inputs for path in _expanded(each)]


def _expanded(path: str) -> list[str]:
    if path == STDIN:
        return [path]
    found = [path] if Path(path).exists() else sorted(glob.glob(path, recursive=True))  # noqa: PTH207 absolute too
    if not found:
        way = ": a database is read with --from URL --table NAME" if "://" in path else ""
        raise click.UsageError(f"{path}: no such file{way}")
    for folder in (each for each in found if Path(each).is_dir()):
        raise click.UsageError(f"{folder!r} is a folder: name its files, like '{folder or '.'}/*'")
    return found


def _is_pipe(path: str) -> bool:
    return path == STDIN or not Path(path).is_file()


def _stdin() -> IO[bytes]:
    if sys.stdin is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))  # as whoever reads a closed file is told
    # Programs before this one may have left it so that it gives nothing where nothing is there yet.
    if sys.platform != "win32" and isinstance(getattr(sys.stdin.buffer, "raw", None), io.FileIO):
        os.set_blocking(sys.stdin.fileno(), True)
    return sys.stdin.buffer


class _Inputs:
    """The records of all inputs, and how far they are read."""

    def __init__(self, database: str | None, table: str | None, paths: Sequence[str], *, in_spans: bool) -> None:
        self._in_spans = in_spans
        self._database = database
        self._table = table
        self._paths = paths
        self._behind = 0
        self._file: IO[bytes] | None = None
        is_unknown = database or any(map(_is_pipe, paths))
        self.total = None if is_unknown else sum(Path(path).stat().st_size for path in paths)

    @property
    def position(self) -> int:
        """Bytes read so far, as they stand on the disk; what is read from a pipe counts nothing."""
        return self._behind + (self._file.tell() if self._file else 0)

    def work(self) -> Generator[Work, None, None]:
        """The records of each input in turn."""
        if self._database and self._table:
            from mjbridge.bulk import tables  # noqa: PLC0415 it needs the extra `sql`, and files do not

            yield from tables.blocks(self._database, self._table)
        for path in self._paths:
            yield bulk.BETWEEN
            with naming("stdin" if path == STDIN else path):
                yield from self._read(path)

    def _read(self, path: str) -> Iterator[Work]:
        if _is_pipe(path):  # what was read of it is gone, and it has no positions
            return sources.blocks(_stdin() if path == STDIN else path, path)
        spans = sources.spans(path) if self._in_spans else None
        return self._file_blocks(path) if spans is None else self._spans(spans)

    def _file_blocks(self, path: str) -> Iterator[Block]:
        with Path(path).open("rb") as file:
            self._file = file
            yield from sources.blocks(file, path)
            self._behind += file.tell()
            self._file = None

    def _spans(self, spans: Sequence[Span]) -> Iterator[Span]:
        for span in spans:
            yield span
            self._behind += span.end - span.start


def _teller(stack: ExitStack, summary: Summary, rejects: str | None, issues: str | None) -> Callable[[Batch], None]:
    """What tells of a batch's rejects and issues: into files where asked for, rejects else on stderr, some of them."""
    rejects_file = stack.enter_context(lines_file(rejects)) if rejects else None
    issues_file = stack.enter_context(lines_file(issues)) if issues else None

    def tell(batch: Batch) -> None:
        if issues_file:
            issues_file.write(_lines(batch.issues))
        if rejects_file:
            rejects_file.write(_lines(batch.rejects))
            return
        before = summary.rejects - len(batch.rejects)
        for reject in batch.rejects[: max(0, _SHOWN_REJECTS - before)]:
            click.echo(str(reject), err=True)
        if before <= _SHOWN_REJECTS < summary.rejects:
            click.echo("more are rejected: --rejects FILE takes them all", err=True)

    return tell


def _lines(items: Iterable[Any]) -> bytes:
    return b"".join(item.to_json() + b"\n" for item in items)


CLI_COMMANDS: Final = (normalize,)
