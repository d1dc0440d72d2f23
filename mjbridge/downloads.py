"""Finished pictures and clips on disk: names made here, files whole or not at all."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from mjbridge import partials, pictures
from mjbridge.account import Account
from mjbridge.commands import GRID
from mjbridge.errors import InvalidCommand, MalformedReply, MJBridgeError, Unavailable
from mjbridge.partials import Partial
from mjbridge.pictures import PICTURE, VIDEO, Kind
from mjbridge.task import Action, Status, Task
from mjbridge.timing import FOREVER, Deadline
from mjbridge.wire import Content

_THREADS: Final = 4
_MOST_FILES: Final = 64
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
# The forms of the vendors' own ids. Any other could be a device's name, or differ from another by case alone.
_SAFE: Final = re.compile(r"\d{1,40}|task_[0-9A-Z]{1,40}")
_LONGEST_NAME: Final = 80
# What makes a grid, where no buttons tell.
_GRID_ACTIONS: Final = frozenset(
    {Action.IMAGINE, Action.BLEND, Action.REROLL, Action.VARIATION, Action.HIGH_VARIATION, Action.LOW_VARIATION}
)


class Progress(msgspec.Struct, frozen=True):
    """How far a file of a download is, in bytes. `size` is None where the server does not tell it."""

    name: str
    received: int
    size: int | None


OnProgress = Callable[[Progress], object]


class _File(msgspec.Struct, frozen=True):
    """A file to be: where it is to stand, without its ending, and what is to be in it."""

    stem: Path
    url: str
    kind: Kind = PICTURE
    is_main: bool = False
    """The one picture that a vendor's image proxy knows."""


def save(
    task: Task,
    folder: Path,
    account: Account,
    deadline: Deadline = FOREVER,
    *,
    singles: bool = False,
    on_progress: OnProgress | None = None,
) -> list[Path]:
    """Save a completed task's files: `<id>` the grid or single picture, `<id>_1` ... the singles, `<id>_video_1` ...

    With `singles` those that the vendor does not give, or no longer has, are cut out of the grid. A file that is there
    is not fetched again; one that broke off goes on where the server can, and stands hidden as `.part` till then.
    Raises `InvalidCommand` if there is nothing to save or `folder` cannot be written to, `MalformedReply` for what is
    neither picture nor clip or is too large, and `Unavailable` for a link that is dead; the other files are saved all
    the same.
    """
    files = _files(task, folder)
    if task.status is not Status.COMPLETED or not files:
        raise InvalidCommand(f"task {task.ref} is {task.status} and has no finished picture or video to download")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _unwritable(folder, error) from None
    try:
        outcomes = _Download(account, task.id, deadline, on_progress).outcomes(files)
        if singles and _is_grid(task):
            outcomes = _with_singles(outcomes, folder / _safe(task.id), len(task.image_urls))
    except OSError as error:
        raise _unwritable(folder, error) from None
    for outcome in outcomes.values():
        if isinstance(outcome, MJBridgeError):
            raise outcome
    return [outcome for outcome in outcomes.values() if isinstance(outcome, Path)]


def _unwritable(folder: Path, error: Exception) -> InvalidCommand:
    reason = error.strerror if isinstance(error, OSError) else error
    return InvalidCommand(f"{folder}: the pictures cannot be saved there: {reason}")


_Outcomes = dict[Path, Path | MJBridgeError]
"""What became of each file, by its path without its ending, in order."""


def _files(task: Task, folder: Path) -> list[_File]:
    named = len(task.image_urls) + len(task.video_urls)
    if named > _MOST_FILES:
        raise MalformedReply(f"task {task.ref} names {named} files, and no task has more than {_MOST_FILES}")
    name = _safe(task.id)
    main = [_File(folder / name, task.image_url, is_main=True)] if task.image_url else []
    numbered = [_File(folder / f"{name}_{number}", url) for number, url in enumerate(task.image_urls, start=1)]
    videos = [_File(folder / f"{name}_video_{place}", url, VIDEO) for place, url in enumerate(task.video_urls, start=1)]
    return [*main, *numbered, *videos]


def _safe(task_id: str) -> str:
    # The id is the vendor's text: two ids that look alike when cleaned must not share a file.
    cleaned = _UNSAFE.sub("_", task_id)[:_LONGEST_NAME]
    digest = hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return task_id if _SAFE.fullmatch(task_id) else f"{cleaned}_{digest}"


def _is_grid(task: Task) -> bool:
    # A single picture's buttons upscale it too, under other kinds: "upsample_v7_2x_subtle".
    return task.button("upsample") is not None if task.buttons else task.action in _GRID_ACTIONS


def _with_singles(outcomes: _Outcomes, grid: Path, given: int) -> _Outcomes:
    """The four singles, those that are missing cut out of the grid."""
    singles = [grid.with_name(f"{grid.name}_{number}") for number in GRID]
    whole = outcomes.get(grid)
    # Of fewer than four links moderation has dropped some, and nobody tells which.
    if not isinstance(whole, Path) or given not in (0, len(GRID)):
        return outcomes
    here = {stem: found for stem in singles if isinstance(found := outcomes.get(stem) or _finished(stem), Path)}
    if len(here) < len(GRID):
        tiles = zip(singles, pictures.cut(whole.read_bytes()), strict=True)
        here |= {stem: _written(stem, tile) for stem, tile in tiles if stem not in here}
    in_order = {stem: here[stem] for stem in singles}
    return {grid: whole, **in_order, **outcomes, **in_order}


class _Download:
    """The files of one task on their way, a few at a time."""

    def __init__(self, account: Account, task_id: str, deadline: Deadline, on_progress: OnProgress | None) -> None:
        self._account = account
        self._task_id = task_id
        self._deadline = deadline
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def outcomes(self, files: Iterable[_File]) -> _Outcomes:
        """Each file's path, or why there is none."""
        from concurrent import futures  # noqa: PLC0415 `import mjbridge` has a budget of modules

        with futures.ThreadPoolExecutor(_THREADS) as pool:
            running = {file.stem: pool.submit(self._outcome, file) for file in files}
            try:
                # As they end: what one of them raises waits for none that was begun before it.
                for ended in futures.as_completed(running.values()):
                    ended.result()
            except BaseException:
                # Whoever interrupts waits for what is on its way at this moment, and for no more.
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise
            return {stem: future.result() for stem, future in running.items()}

    def _outcome(self, file: _File) -> Path | MJBridgeError:
        try:
            return _finished(file.stem, file.kind) or self._fetched(file)
        except Unavailable as error:
            return self._proxied(file, error) if file.is_main else error
        except MJBridgeError as error:
            return error

    def _proxied(self, file: _File, dead: MJBridgeError) -> Path | MJBridgeError:
        """The task's picture through the vendor's own image proxy, for a link that is dead."""
        try:
            return _written(file.stem, self._account.image(self._task_id, self._deadline))
        except MJBridgeError:
            return dead

    def _fetched(self, file: _File) -> Path:
        with partials.left(file.stem) or nullcontext() as left:
            # What has changed since it broke off is fetched anew.
            for start in (left.size, 0) if left else (0,):
                with self._account.open(file.url, file.kind.limit, start, self._deadline) as content:
                    mark = _mark(file.url, content.tag)
                    if left and content.start and mark == left.mark:
                        return self._received(file, left, content)
                    if not content.start:
                        if left:
                            left.discard()
                        with partials.new(file.stem, mark) as partial:
                            return self._received(file, partial, content)
        raise Unavailable("the server gives a part of the file where it was asked for all of it")

    def _received(self, file: _File, partial: Partial, content: Content) -> Path:
        received = content.start
        first = b"" if received else _first(content.chunks)
        ending = pictures.ending(_head(partial.path) if received else first, file.stem.name, file.kind)
        for chunk in chain([first], content.chunks):
            partial.file.write(chunk)
            received += len(chunk)
            self._tell(Progress(file.stem.name + ending, received, content.size))
        return partial.finish(_named(file.stem, ending))

    def _tell(self, progress: Progress) -> None:
        if self._stopped.is_set():
            raise Unavailable("the download was interrupted")
        if self._on_progress:
            with self._lock:
                self._on_progress(progress)


def _mark(url: str, tag: str) -> str:
    """What tells this very content at this very link; `""` where the server marks nothing."""
    return hashlib.sha256(f"{url}\n{tag}".encode("utf-8", "surrogatepass")).hexdigest()[:16] if tag else ""


def _finished(stem: Path, kind: Kind = PICTURE) -> Path | None:
    """The file, if it is there: it got its name when it was whole."""
    paths = (_named(stem, ending) for _, ending in kind.signatures)
    return next((path for path in paths if path.is_file() and pictures.told(_head(path), kind) == path.suffix), None)


def _written(stem: Path, content: bytes) -> Path:
    """A file whose content is all there."""
    with partials.new(stem) as partial:
        partial.file.write(content)
        return partial.finish(_named(stem, pictures.ending(content, stem.name)))


def _named(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _first(chunks: Iterator[bytes]) -> bytes:
    """The beginning of a file, enough to tell its kind by if there is so much."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= pictures.LONGEST_SIGNATURE:
            break
    return first


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(pictures.LONGEST_SIGNATURE)
