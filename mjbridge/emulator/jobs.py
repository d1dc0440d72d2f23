"""What the simulated Midjourney remembers: jobs, in memory or in a folder."""

import os
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from mjbridge.errors import ConfigError

Published = TypeVar("Published")

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted command.

    `picture` is the text its picture is drawn from, `tile` the number of the single it shows (0: the whole grid);
    instead of pictures there may be `texts`, a number of video `clips`, or the `contents` of an upload. What is `drawn`
    has buttons. `created` is in epoch seconds; `duration` in seconds, from acceptance to success. A job that `waits`
    needs input; `cancelled` is when it was, in epoch seconds.
    """

    id: str
    created: float
    duration: float
    picture: str
    tile: int = 0
    drawn: bool = True
    texts: tuple[str, ...] = ()
    clips: int = 0
    contents: tuple[bytes, ...] = ()
    waits: bool = False
    cancelled: float | None = None
    action: str = ""
    prompt: str | None = None
    bot: str | None = None
    speed: str | None = None
    state: str | None = None
    parent_id: str | None = None
    custom_id: str | None = None
    fail_reason: str | None = None


class Jobs(Protocol):
    """A place to keep jobs."""

    def add(self, job: Job) -> bool:
        """Keep a job; False if its id is taken."""
        ...

    def replace(self, job: Job) -> None:
        """Keep a job in the place of its earlier state."""
        ...

    def get(self, job_id: str) -> Job | None:
        """The job of that id."""
        ...


class JobMemory:
    """Jobs that end with the process."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> bool:
        """Keep a job; False if its id is taken."""
        return self._jobs.setdefault(job.id, job) is job

    def replace(self, job: Job) -> None:
        """Keep a job in the place of its earlier state."""
        self._jobs[job.id] = job

    def get(self, job_id: str) -> Job | None:
        """The job of that id."""
        return self._jobs.get(job_id)


def _link(partial: Path, path: Path) -> bool:
    """Give a whole file its name; whether that was free."""
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    return True


class JobFolder:
    """Jobs that the next process finds again: a file each, so that processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, job: Job) -> bool:
        """Keep a job; False if its id is taken."""
        return self._write(job, _link)

    def replace(self, job: Job) -> None:
        """Keep a job in the place of its earlier state."""
        self._write(job, os.replace)

    def _write(self, job: Job, publish: Callable[[Path, Path], Published]) -> Published:
        # Under its name when it is whole: another process sees all of it or nothing.
        partial = self._folder / f".{job.id}.{os.getpid()}.{threading.get_ident()}.part"
        with self._reaching("write to"):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_bytes(msgspec.json.encode(job))
                return publish(partial, self._path(job.id))
            finally:
                partial.unlink(missing_ok=True)

    def get(self, job_id: str) -> Job | None:
        """The job of that id."""
        # The id comes out of a request's path: only what this folder itself may have written names a file in it.
        if not _FILE_NAME.fullmatch(job_id):
            return None
        path = self._path(job_id)
        with self._reaching("read from"):
            try:
                return msgspec.json.decode(path.read_bytes(), type=Job)
            except FileNotFoundError:
                return None
            except msgspec.DecodeError as error:
                raise ConfigError(f"{path} is no task that this emulator wrote: {error}; remove it") from None

    @contextmanager
    def _reaching(self, how: str) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            raise ConfigError(f"the emulator cannot {how} the folder {self._folder}: {error.strerror}") from None

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"
