"""The commands as methods: what a bridge can be asked, each a line over `submit`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Unpack

import msgspec

from mjbridge import waiting
from mjbridge.commands import (
    Animate,
    Blend,
    Cancel,
    Command,
    Confirm,
    Describe,
    Edit,
    Extend,
    FollowUp,
    Imagine,
    Inpaint,
    Motion,
    Pan,
    Remix,
    Reroll,
    Shorten,
    SwapFace,
    Upload,
    Upscale,
    Vary,
    Video,
    Zoom,
)
from mjbridge.commands.keywords import AnimateFields, Common, EditFields, ImagineFields, VideoFields
from mjbridge.config import DEFAULT_ROUTE
from mjbridge.errors import InvalidCommand, MJBridgeError, TaskFailed
from mjbridge.pictures.inputs import Picture, several
from mjbridge.task import Status, Task
from mjbridge.timing import DEFAULT_TIMEOUT, Deadline, Timing


class Vocabulary(ABC):
    """A method a command. New tasks go to a `route` (or account), follow-ups to the account that has the task.

    A picture is a `Path`, bytes, an http(s) URL or a data URI. `timeout` is in seconds and bounds the whole call.
    """

    _timing: Timing

    @abstractmethod
    def submit(self, command: Command, route: str = DEFAULT_ROUTE, *, timeout: float = DEFAULT_TIMEOUT) -> Task:
        """A new task."""

    @abstractmethod
    def _follow_up(self, task: Task | str, command: Callable[[str], FollowUp], timeout: float) -> Task: ...

    @abstractmethod
    def _checked(self, task: Task | str, command: Callable[[str], FollowUp]) -> FollowUp: ...

    @abstractmethod
    def _wait(self, task: Task | str, deadline: Deadline, on_update: None) -> Task: ...

    @abstractmethod
    def _takes_at_once(self, task: Task | str, kind: type[Command]) -> bool: ...

    # New tasks.

    def imagine(
        self,
        prompt: str,
        *,
        route: str = DEFAULT_ROUTE,
        timeout: float = DEFAULT_TIMEOUT,
        **fields: Unpack[ImagineFields],
    ) -> Task:
        """A new grid from a prompt; the `fields` are those of `Imagine`: `images`, `aspect`, `version` ..."""
        return self.submit(Imagine(prompt=prompt, **fields), route, timeout=timeout)

    def blend(
        self,
        images: Picture | Iterable[Picture],
        *,
        dimensions: str | None = None,
        aspect: str | None = None,
        bot: str | None = None,
        route: str = DEFAULT_ROUTE,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """A new grid from two to five pictures: square, portrait or landscape, or of any `aspect` ("16:9")."""
        command = Blend(images=several(images), dimensions=dimensions, aspect=aspect, bot=bot, **common)
        return self.submit(command, route, timeout=timeout)

    def describe(
        self,
        image: Picture,
        *,
        bot: str | None = None,
        route: str = DEFAULT_ROUTE,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """Prompts for a picture, in the task's `texts`."""
        return self.submit(Describe(image=image, bot=bot, **common), route, timeout=timeout)

    def shorten(
        self,
        prompt: str,
        *,
        bot: str | None = None,
        route: str = DEFAULT_ROUTE,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """Shorter prompts, in the task's `texts`."""
        return self.submit(Shorten(prompt=prompt, bot=bot, **common), route, timeout=timeout)

    def edit(
        self,
        prompt: str,
        images: Picture | Iterable[Picture],
        *,
        route: str = DEFAULT_ROUTE,
        timeout: float = DEFAULT_TIMEOUT,
        **fields: Unpack[EditFields],
    ) -> Task:
        """Pictures changed as the prompt says; the `fields` are those of `Edit`: `mask`, `retexture` ..."""
        return self.submit(Edit(prompt=prompt, images=several(images), **fields), route, timeout=timeout)

    def video(
        self,
        image: Picture,
        prompt: str | None = None,
        *,
        motion: str = Motion.HIGH.value,
        route: str = DEFAULT_ROUTE,
        timeout: float = DEFAULT_TIMEOUT,
        **fields: Unpack[VideoFields],
    ) -> Task:
        """Clips that begin with a picture; the `fields` are those of `Video`: `end_image`, `batch`, `resolution` ..."""
        return self.submit(Video(image=image, prompt=prompt, motion=motion, **fields), route, timeout=timeout)

    def swap_face(
        self,
        source: Picture,
        target: Picture | None = None,
        *,
        video: Picture | None = None,
        route: str = DEFAULT_ROUTE,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """The face of `source` in `target`, a picture, or in all of `video`, a clip."""
        return self.submit(SwapFace(source=source, target=target, video=video, **common), route, timeout=timeout)

    def upload(self, image: Picture, *, route: str = DEFAULT_ROUTE, timeout: float = DEFAULT_TIMEOUT) -> str:
        """The address that a vendor gives a picture."""
        return self.submit(Upload(images=(image,)), route, timeout=timeout).images[0]

    # Follow-ups.

    def upscale(
        self,
        task: Task | str,
        index: int | None = None,
        *,
        kind: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """One picture of a grid, 1-4; or, by `kind` (subtle, creative, 2x, 4x), a single picture made larger."""
        return self._follow_up(
            task, lambda task_id: Upscale(task_id=task_id, index=index, kind=kind, **common), timeout
        )

    def vary(
        self,
        task: Task | str,
        index: int | None = None,
        *,
        strength: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """A new grid of variations of a grid's picture, 1-4; or, by `strength` (subtle, strong), of a single one."""
        return self._follow_up(
            task, lambda task_id: Vary(task_id=task_id, index=index, strength=strength, **common), timeout
        )

    def reroll(self, task: Task | str, *, timeout: float = DEFAULT_TIMEOUT, **common: Unpack[Common]) -> Task:
        """A new grid from the same prompt."""
        return self._follow_up(task, lambda task_id: Reroll(task_id=task_id, **common), timeout)

    def zoom(
        self,
        task: Task | str,
        ratio: float | None = 2,
        *,
        prompt: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """A single picture with more around it, 1.5 or 2 times.

        `ratio=None` is the custom zoom, whose `prompt` ends in `--zoom 1` to `--zoom 2`; without one it waits for it.
        """
        if ratio is not None and prompt is not None:
            raise InvalidCommand("a prompt belongs to the custom zoom: ratio=None")
        return self._asked(task, lambda task_id: Zoom(task_id=task_id, ratio=ratio, **common), prompt, None, timeout)

    def pan(
        self, task: Task | str, direction: str, *, timeout: float = DEFAULT_TIMEOUT, **common: Unpack[Common]
    ) -> Task:
        """A single picture continued to the left, right, up or down."""
        return self._follow_up(task, lambda task_id: Pan(task_id=task_id, direction=direction, **common), timeout)

    def inpaint(
        self,
        task: Task | str,
        *,
        mask: Picture | None = None,
        prompt: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """A single picture painted anew where `mask` is white; without mask and prompt, it waits for `confirm`."""
        return self._asked(task, lambda task_id: Inpaint(task_id=task_id, **common), prompt, mask, timeout)

    def remix(
        self,
        task: Task | str,
        index: int,
        prompt: str | None = None,
        *,
        strength: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """A variation of a grid's picture, 1-4, from another prompt; without one it may wait for `confirm`."""
        now, later = (prompt, None) if self._takes_at_once(task, Remix) else (None, prompt)

        def ask(task_id: str) -> Remix:
            return Remix(task_id=task_id, index=index, prompt=now, strength=strength, **common)

        return self._asked(task, ask, later, None, timeout)

    def animate(
        self,
        task: Task | str,
        index: int | None = None,
        *,
        prompt: str | None = None,
        motion: str = Motion.HIGH.value,
        timeout: float = DEFAULT_TIMEOUT,
        **fields: Unpack[AnimateFields],
    ) -> Task:
        """Clips that begin with a single picture, or with picture `index` of a grid.

        The `fields` are those of `Animate`: `auto`, `end_image`, `batch` ...
        """
        return self._follow_up(
            task,
            lambda task_id: Animate(task_id=task_id, index=index, prompt=prompt, motion=motion, **fields),
            timeout,
        )

    def extend(
        self,
        task: Task | str,
        index: int = 1,
        *,
        prompt: str | None = None,
        motion: str = Motion.HIGH.value,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """A clip of a video, continued."""
        return self._follow_up(
            task,
            lambda task_id: Extend(task_id=task_id, index=index, prompt=prompt, motion=motion, **common),
            timeout,
        )

    def confirm(
        self,
        task: Task | str,
        prompt: str | None = None,
        mask: Picture | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        **common: Unpack[Common],
    ) -> Task:
        """The answer to a task that needs input. Wait for what is returned: its id may be the same or another."""
        return self._follow_up(
            task, lambda task_id: Confirm(task_id=task_id, prompt=prompt, mask=mask, **common), timeout
        )

    def cancel(self, task: Task | str, *, timeout: float = DEFAULT_TIMEOUT) -> Task:
        """The end of a task that is on its way or waits for input."""
        return self._follow_up(task, lambda task_id: Cancel(task_id=task_id), timeout)

    def _asked(
        self,
        task: Task | str,
        command: Callable[[str], FollowUp],
        prompt: str | None,
        mask: Picture | None,
        timeout: float,
    ) -> Task:
        """A follow-up that opens a task which asks; where there is an answer, what follows from giving it.

        The answer is checked before anything is sent. Once a task is opened, every error carries it: a `WaitTimeout`
        of the wait for its question, and whatever the vendor says to the answer.
        """
        if prompt is None and mask is None:
            return self._follow_up(task, command, timeout)
        deadline = self._timing.deadline(timeout)
        answer = self._checked(task, lambda task_id: Confirm(task_id=task_id, prompt=prompt, mask=mask))
        opened = self._follow_up(task, command, deadline.left)
        with waiting.accepted(opened):
            asking = self._wait(opened, deadline, None)
        if asking.status is not Status.NEEDS_INPUT:
            raise TaskFailed(f"task {asking.ref} is {asking.status} and did not ask for input", task=asking)
        try:
            with waiting.named(asking):
                return self._follow_up(
                    asking, lambda task_id: msgspec.structs.replace(answer, task_id=task_id), deadline.left
                )
        except MJBridgeError as error:
            # Its category tells of the answer: whether to answer again. The task is paid for either way.
            error.task, error.accepted = asking, "maybe"
            error.message = f"task {asking.ref} was accepted, and answering it failed: {error.message}"
            error.args = (error.message,)
            raise
