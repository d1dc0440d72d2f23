"""A simulated Midjourney: accepts commands, moves tasks along by a clock, draws their pictures."""

import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec

from mjbridge.commands import Cancel, Command, Confirm, FollowUp
from mjbridge.emulator import buttons, making, pictures
from mjbridge.emulator.faults import BannedPrompt, FailTask, Faults, QueueFull
from mjbridge.emulator.jobs import Job, JobMemory, Jobs
from mjbridge.emulator.making import Parent
from mjbridge.errors import ContentRejected, InvalidCommand, TaskNotFound, Unavailable
from mjbridge.task import DONE, Status, Task

# Shares of a task's duration: when it is submitted to Midjourney, starts, and shows its first preview.
_SUBMITTED: Final = 0.1
_STARTED: Final = 0.2
_PREVIEW: Final = 0.5

_MINTS: Final = 1000
_FIRST_SEED: Final = 10**9


class Simulator:
    """The backend of an emulated vendor. Thread-safe.

    `new_id` makes a vendor's task id from epoch milliseconds and a serial number. A grid takes `duration` seconds of
    `clock` (epoch seconds), a single picture a third of it. `public_url` begins the pictures' addresses.
    """

    def __init__(
        self,
        new_id: Callable[[int, int], str],
        public_url: str,
        *,
        clock: Callable[[], float] = time.time,
        duration: float = 2.0,
        jobs: Jobs | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self._new_id = new_id
        self._public_url = public_url
        self._clock = clock
        self._duration = duration
        self._jobs = jobs or JobMemory()
        self._serial = itertools.count()
        self._lock = threading.Lock()

    # The backend of a dialect server.

    def submit(self, command: Command) -> Task:
        """Accept a command. Raises the scripted refusals, and `InvalidCommand` for what Midjourney would not do."""
        if isinstance(command, Cancel):
            return self._cancelled(command.task_id)
        if self.faults.take(QueueFull):
            raise Unavailable("the queue is full")
        job = making.make(command, self._parent(command))
        banned = self.faults.take(BannedPrompt, job.prompt or "")
        if banned:
            raise ContentRejected(f"banned word: {banned.word}")
        failing = self.faults.take(FailTask)
        started = msgspec.structs.replace(
            job,
            created=self._clock(),
            duration=job.duration * self._duration,
            fail_reason=failing.reason if failing else job.fail_reason,
        )
        return self._task(self._keep(started))

    def fetch(self, task_id: str) -> Task:
        """The task as it stands now."""
        return self._task(self._find(task_id))

    def fetch_many(self, task_ids: Sequence[str]) -> list[Task]:
        """Those of the tasks that are known."""
        jobs = (self._jobs.get(task_id) for task_id in dict.fromkeys(task_ids))
        return [self._task(job) for job in jobs if job is not None]

    def seed(self, task_id: str) -> str:
        """A ten-digit seed, the same for the same task."""
        digest = hashlib.sha256(self._completed(task_id).id.encode()).digest()
        return str(_FIRST_SEED + int.from_bytes(digest[:4]) % _FIRST_SEED)

    def image(self, task_id: str) -> bytes:
        """The task's picture: its preview until it is finished."""
        task = self.fetch(task_id)
        url = task.image_url or task.preview_url
        if url is None:
            raise TaskNotFound(f"task {task_id} has no picture yet")
        return self.picture(url.removeprefix(f"{self._public_url}/pictures/"))

    def picture(self, name: str) -> bytes:
        """A file by its name, as the addresses of tasks end in it; `TaskNotFound` if there is none."""
        stem, _, part = name.rpartition(".")[0].partition("~")
        job = self._find(stem)
        draw = _parts(job).get(part)
        if draw is None:
            raise TaskNotFound(f"no picture {name}")
        return draw()

    def content(self, url: str) -> bytes:
        """What is behind one of its own addresses; it reaches no other."""
        name = url.removeprefix(f"{self._public_url}/pictures/")
        if name == url:
            raise InvalidCommand(f"the simulator reaches no other host, and this is {url}")
        return self.picture(name)

    # Commands to jobs.

    def _parent(self, command: Command) -> Parent | None:
        if not isinstance(command, FollowUp):
            return None
        job = self._find(command.task_id)
        return Parent(job, self._task(job) if isinstance(command, Confirm) else self._completed(job.id))

    def _cancelled(self, task_id: str) -> Task:
        job, task = self._find(task_id), self.fetch(task_id)
        if task.done:
            raise InvalidCommand(f"task {task_id} has ended already")
        cancelled = msgspec.structs.replace(job, cancelled=self._clock())
        self._jobs.replace(cancelled)
        return self._task(cancelled)

    def _keep(self, job: Job) -> Job:
        if job.id:
            # An answer to a dialog goes on with the task that asked.
            self._jobs.replace(job)
            return job
        for _ in range(_MINTS):
            with self._lock:
                serial = next(self._serial)
            named = msgspec.structs.replace(job, id=self._new_id(int(job.created * 1000), serial))
            if self._jobs.add(named):
                return named
        raise Unavailable("the simulator has no task id left in this millisecond")

    def _find(self, task_id: str) -> Job:
        job = self._jobs.get(task_id)
        if job is None:
            raise TaskNotFound(f"no task {task_id}")
        return job

    def _completed(self, task_id: str) -> Task:
        task = self.fetch(task_id)
        if task.status is not Status.COMPLETED:
            raise InvalidCommand(f"task {task_id} is not in SUCCESS state")
        return task

    # Jobs to tasks.

    def _task(self, job: Job) -> Task:
        share = self._share(job)
        word, status = _stage(job, share)
        completed = status is Status.COMPLETED
        is_picture = job.drawn or job.tile > 0
        return Task(
            id=job.id,
            status=status,
            vendor_status=word,
            action=job.action,
            progress=_progress(share),
            prompt=job.prompt,
            prompt_en=job.prompt,
            description="Submit success",
            fail_reason=job.fail_reason if status is Status.FAILED else None,
            state=job.state,
            image_url=self._url(job) if completed and is_picture else None,
            image_urls=tuple(self._url(job, f"~{number}") for number in _singles(job)) if completed else (),
            preview_url=self._url(job, "~preview") if is_picture and _is_previewed(share, status) else None,
            video_urls=tuple(self._url(job, f"~clip{number}", "mp4") for number in _clips(job)) if completed else (),
            texts=job.texts if completed else (),
            buttons=tuple(buttons.under(job)) if completed else (),
            submitted_at=_moment(job.created),
            started_at=_moment(job.created + _STARTED * job.duration) if share >= _STARTED else None,
            finished_at=_moment(job.cancelled or job.created + job.duration) if status in DONE else None,
            parent_id=job.parent_id,
            custom_id=job.custom_id,
            bot=job.bot,
            speed=job.speed,
        )

    def _share(self, job: Job) -> float:
        if job.waits:
            return 0.0
        until = self._clock() if job.cancelled is None else job.cancelled
        return (until - job.created) / job.duration if job.duration > 0 else 1.0

    def _url(self, job: Job, part: str = "", ending: str = "png") -> str:
        return f"{self._public_url}/pictures/{job.id}{part}.{ending}"


def _is_previewed(share: float, status: Status) -> bool:
    return share >= _PREVIEW and status is Status.PROCESSING


def _singles(job: Job) -> range:
    if job.contents:
        return range(1, len(job.contents) + 1)
    return range(1, 5) if job.drawn and not job.tile else range(0)


def _clips(job: Job) -> range:
    return range(1, job.clips + 1)


def _parts(job: Job) -> dict[str, Callable[[], bytes]]:
    """What can be seen of a job, by the part of its name behind the id."""
    if job.contents:
        return {str(number): partial(bytes, content) for number, content in enumerate(job.contents, 1)}
    if job.clips:
        return {f"clip{number}": partial(pictures.clip, job.picture, number) for number in _clips(job)}
    if job.texts:
        return {}
    if job.tile:
        upscaled = partial(pictures.upscaled, job.picture, job.tile)
        return {"": upscaled, "preview": partial(pictures.preview, job.picture)}
    singles = {str(number): partial(pictures.single, job.picture, number) for number in _singles(job)}
    return {"": partial(pictures.grid, job.picture), "preview": partial(pictures.preview, job.picture), **singles}


def _stage(job: Job, share: float) -> tuple[str, Status]:
    if job.cancelled is not None:
        return "CANCEL", Status.CANCELLED
    if job.waits:
        return "MODAL", Status.NEEDS_INPUT
    if share >= 1:
        return ("FAILURE", Status.FAILED) if job.fail_reason else ("SUCCESS", Status.COMPLETED)
    if share >= _STARTED:
        return "IN_PROGRESS", Status.PROCESSING
    return ("SUBMITTED" if share >= _SUBMITTED else "NOT_START"), Status.PENDING


def _progress(share: float) -> int:
    return max(0, min(100, int(100 * (share - _STARTED) / (1 - _STARTED))))


def _moment(epoch_seconds: float) -> datetime:
    # Vendors count in milliseconds.
    return datetime.fromtimestamp(int(epoch_seconds * 1000) / 1000, UTC)
