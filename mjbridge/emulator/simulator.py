"""A simulated Midjourney: accepts commands, moves tasks along by a clock, draws their pictures."""

import hashlib
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from mjbridge.commands import ByButton, Command, Imagine, Press
from mjbridge.emulator import pictures
from mjbridge.emulator.faults import BannedPrompt, FailTask, Faults, QueueFull
from mjbridge.emulator.jobs import Job, JobMemory, Jobs
from mjbridge.errors import ContentRejected, InvalidCommand, TaskNotFound, Unavailable
from mjbridge.task import Action, Button, Status, Task

# Shares of a task's duration: when it is submitted to Midjourney, starts, and shows its first preview.
_SUBMITTED: Final = 0.1
_STARTED: Final = 0.2
_PREVIEW: Final = 0.5
_SINGLE_SPEED: Final = 3

_MINTS: Final = 1000
_FIRST_SEED: Final = 10**9

_GRID_BUTTONS: Final = (
    *((f"MJ::JOB::upsample::{number}::{{hash}}", f"U{number}", "") for number in range(1, 5)),
    ("MJ::JOB::reroll::0::{hash}::SOLO", "", "🔄"),
    *((f"MJ::JOB::variation::{number}::{{hash}}", f"V{number}", "") for number in range(1, 5)),
)
_SINGLE_BUTTONS: Final = (
    ("MJ::JOB::upsample_v7_2x_subtle::1::{hash}::SOLO", "Upscale (Subtle)", "upscale_1"),
    ("MJ::JOB::upsample_v7_2x_creative::1::{hash}::SOLO", "Upscale (Creative)", "upscale_1"),
    ("MJ::JOB::low_variation::1::{hash}::SOLO", "Vary (Subtle)", "🪄"),
    ("MJ::JOB::high_variation::1::{hash}::SOLO", "Vary (Strong)", "🪄"),
    ("MJ::Outpaint::50::1::{hash}::SOLO", "Zoom Out 2x", "🔍"),
    ("MJ::Outpaint::75::1::{hash}::SOLO", "Zoom Out 1.5x", "🔍"),
    ("MJ::JOB::pan_left::1::{hash}::SOLO", "", "⬅️"),
    ("MJ::JOB::pan_right::1::{hash}::SOLO", "", "➡️"),
    ("MJ::JOB::pan_up::1::{hash}::SOLO", "", "⬆️"),
    ("MJ::JOB::pan_down::1::{hash}::SOLO", "", "⬇️"),
)
_BUTTON_TYPE: Final = 2
_BUTTON_STYLE: Final = 2


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
        if self.faults.take(QueueFull):
            raise Unavailable("the queue is full")
        job = self._job(command)
        banned = self.faults.take(BannedPrompt, job.prompt or "")
        if banned:
            raise ContentRejected(f"banned word: {banned.word}")
        failing = self.faults.take(FailTask)
        return self._task(self._keep(msgspec.structs.replace(job, fail_reason=failing and failing.reason)))

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
        """A picture by its file name, as the addresses of tasks end in it; `TaskNotFound` if there is none."""
        stem, _, part = name.removesuffix(".png").partition("~")
        job = self._find(stem)
        if part == "preview":
            return pictures.preview(job.picture)
        if part in ("1", "2", "3", "4") and not job.tile:
            return pictures.single(job.picture, int(part))
        if part:
            raise TaskNotFound(f"no picture {name}")
        return pictures.upscaled(job.picture, job.tile) if job.tile else pictures.grid(job.picture)

    # Commands to jobs.

    def _job(self, command: Command) -> Job:
        if isinstance(command, Imagine):
            return self._new(command, picture=command.prompt)
        if isinstance(command, ByButton):
            return self._job(command.press(self._completed(command.task_id)))
        if isinstance(command, Press):
            return self._pressed(command)
        raise InvalidCommand(f"the simulator does not know {type(command).__name__}")

    def _pressed(self, command: Press) -> Job:
        parent, task = self._find(command.task_id), self._completed(command.task_id)
        button = task.button(command.custom_id)
        if button is None:
            raise InvalidCommand(f"task {task.id} has no button {command.custom_id}")
        if button.action == Action.UPSCALE:
            tile = parent.tile or button.index or 1
            return self._new(
                command, parent=parent, picture=parent.picture, tile=tile, duration=self._duration / _SINGLE_SPEED
            )
        return self._new(command, parent=parent, picture=f"{parent.picture}/{parent.tile}/{button.kind}/{button.index}")

    def _new(
        self, command: Command, *, picture: str, parent: Job | None = None, tile: int = 0, duration: float | None = None
    ) -> Job:
        inherited: dict[str, Any] = {"prompt": parent.prompt, "bot": parent.bot} if parent else {}
        return Job(
            id="",
            created=self._clock(),
            duration=self._duration if duration is None else duration,
            picture=picture,
            tile=tile,
            **(inherited | command.promised()),
        )

    def _keep(self, job: Job) -> Job:
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
        share = (self._clock() - job.created) / job.duration if job.duration > 0 else 1.0
        word, status = _stage(share, failed=job.fail_reason is not None)
        completed = status is Status.COMPLETED
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
            image_url=self._url(job) if completed else None,
            image_urls=tuple(self._url(job, f"~{number}") for number in range(1, 5))
            if completed and not job.tile
            else (),
            preview_url=self._url(job, "~preview") if share >= _PREVIEW and status is Status.PROCESSING else None,
            buttons=tuple(_buttons(job)) if completed else (),
            submitted_at=_moment(job.created),
            started_at=_moment(job.created + _STARTED * job.duration) if share >= _STARTED else None,
            finished_at=_moment(job.created + job.duration) if share >= 1 else None,
            parent_id=job.parent_id,
            custom_id=job.custom_id,
            bot=job.bot,
            speed=job.speed,
        )

    def _url(self, job: Job, part: str = "") -> str:
        return f"{self._public_url}/pictures/{job.id}{part}.png"


def _stage(share: float, *, failed: bool) -> tuple[str, Status]:
    if share >= 1:
        return ("FAILURE", Status.FAILED) if failed else ("SUCCESS", Status.COMPLETED)
    if share >= _STARTED:
        return "IN_PROGRESS", Status.PROCESSING
    return ("SUBMITTED" if share >= _SUBMITTED else "NOT_START"), Status.PENDING


def _progress(share: float) -> int:
    return max(0, min(100, int(100 * (share - _STARTED) / (1 - _STARTED))))


def _buttons(job: Job) -> Iterator[Button]:
    # Midjourney's own hashes are UUIDs.
    job_hash = str(uuid.UUID(bytes=hashlib.sha256(job.id.encode()).digest()[:16]))
    for custom_id, label, emoji in _SINGLE_BUTTONS if job.tile else _GRID_BUTTONS:
        yield Button(custom_id.format(hash=job_hash), label, emoji, _BUTTON_TYPE, _BUTTON_STYLE)


def _moment(epoch_seconds: float) -> datetime:
    # Vendors count in milliseconds.
    return datetime.fromtimestamp(int(epoch_seconds * 1000) / 1000, UTC)
