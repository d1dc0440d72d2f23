"""The capability table, proved: each command is done on the emulator, or refused before any request."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Final, NoReturn, cast

import pytest

from mjbridge import fields
from mjbridge.account import Account
from mjbridge.commands import (
    COMMANDS,
    Animate,
    Blend,
    Cancel,
    Command,
    Confirm,
    Describe,
    Edit,
    Extend,
    Imagine,
    Inpaint,
    Pan,
    Press,
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
from mjbridge.emulator import Emulator, Simulator, pictures
from mjbridge.errors import InvalidCommand, Unavailable, Unsupported
from mjbridge.provider import Level
from mjbridge.serving import Backend
from mjbridge.task import Action, Status, Task
from mjbridge.testing.fake import FakeTransport
from mjbridge.testing.stage import PROMPT, Clock, Stage, settled
from mjbridge.wire import PICTURE_LIMIT, Content, HttpRequest, HttpResponse, Transport


class Listening:
    """A transport that remembers what went over another."""

    def __init__(self, transport: Transport) -> None:
        self.requests: list[HttpRequest] = []
        self._transport = transport

    def send(self, request: HttpRequest) -> HttpResponse:
        """The other's reply."""
        self.requests.append(request)
        return self._transport.send(request)

    def open(
        self, url: str, limit: int = PICTURE_LIMIT, start: int = 0, timeout: float | None = None
    ) -> AbstractContextManager[Content]:
        """The other's content."""
        return self._transport.open(url, limit, start, timeout)

    def close(self) -> None:
        """Nothing to free."""


class Parents:
    """Tasks to follow up, made when they are asked for."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock

    def grid(self, prompt: str = PROMPT) -> Task:
        """Four pictures."""
        return self.made(Imagine(prompt=prompt))

    def single(self, prompt: str = PROMPT) -> Task:
        """An upscaled picture."""
        return self.made(Upscale(task_id=self.grid(prompt).id, index=2))

    def film(self) -> Task:
        """A video."""
        return self.made(Video(image=self.grid().images[0]))

    def waiting(self) -> Task:
        """A task that needs input."""
        return self.made(Inpaint(task_id=self.single().id))

    def pending(self) -> Task:
        """A task on its way."""
        return self._account.submit(Imagine(prompt=PROMPT))

    def made(self, command: Command) -> Task:
        """What becomes of a command."""
        return settled(self._account, self._clock, self._account.submit(command))


class NoParents(Parents):
    """Tasks that nobody has to ask a vendor for."""

    def __init__(self) -> None:
        pass

    def pending(self) -> Task:
        """Any task."""
        return Task(id="1")

    def made(self, command: Command) -> Task:
        """Any task."""
        return Task(id="1", image_url="https://example.com/1.png")


def _content(number: int = 1) -> bytes:
    return pictures.single("a contract", number)


def _button(task: Task, kind: str) -> str:
    button = task.button(kind)
    return button.custom_id if button else f"MJ::JOB::{kind}::1::hash"


Examples = Callable[[Parents], Sequence[Command]]

# The first of each kind must be done by who supports the kind; the others are done, or refused with nothing submitted.
EXAMPLES: Final[Mapping[type[Command], Examples]] = {
    Imagine: lambda parents: [
        Imagine(prompt=PROMPT),
        Imagine(prompt="a cat", aspect="16:9", version="7", stylize=0, seed=0, quality=0.5, tile=True, negative="dogs"),
        Imagine(prompt="a cat", niji="6", chaos=10, weird=20, raw=True, image_weight=1.5, images=(_content(),)),
        Imagine(prompt="a cat", images=(_content(1), parents.grid().images[0])),
        Imagine(prompt="a cat", style_reference=("random",), style_weight=100, profile="abc", omni_weight=200),
        Imagine(prompt="a cat", character_reference=(_content(),), character_weight=50),
        Imagine(prompt="a cat", bot="niji", speed="fast", state="mine"),
    ],
    Blend: lambda parents: [
        Blend(images=(_content(1), _content(2), _content(3))),
        Blend(images=(_content(1), parents.grid().images[0]), dimensions="portrait"),
        Blend(images=(_content(),) * 5, bot="niji"),
        Blend(images=(_content(1), _content(2)), aspect="16:9"),
    ],
    Describe: lambda parents: [Describe(image=_content()), Describe(image=parents.grid().images[0], state="mine")],
    Shorten: lambda _: [
        Shorten(prompt="a very tall lighthouse at a most dramatic dusk"),
        Shorten(prompt="a", bot="niji"),
    ],
    Edit: lambda parents: [
        Edit(prompt="at night", images=(_content(),)),
        Edit(prompt="at night", images=(parents.grid().images[0],), mask=_content(2), aspect="1:1"),
        Edit(prompt="at night", images=(_content(1), _content(2))),
        Edit(prompt="of glass", images=(_content(),), retexture=True),
    ],
    Video: lambda parents: [
        Video(image=parents.grid().images[0]),
        Video(image=_content(), prompt="waves", motion="low"),
        Video(image=_content(1), end_image=_content(2), resolution=720, batch=2),
        Video(image=_content(1), loop=True),
    ],
    SwapFace: lambda parents: [
        SwapFace(source=_content(1), target=_content(2)),
        SwapFace(source=_content(1), target=parents.grid().images[0]),
        SwapFace(source=_content(1), video=pictures.clip("a contract", 1)),
        SwapFace(source=_content(1), video="https://example.com/1.mp4", state="mine"),
    ],
    Upload: lambda parents: [
        Upload(images=(_content(),)),
        Upload(images=(_content(1), parents.grid().images[0])),
    ],
    Press: lambda parents: [
        Press(task_id=(grid := parents.grid()).id, custom_id=_button(grid, "variation")),
        Press(task_id=grid.id, custom_id=_button(grid, "reroll"), remix=True),
        Press(task_id=(single := parents.single()).id, custom_id=_button(single, "animate_low")),
    ],
    Upscale: lambda parents: [
        Upscale(task_id=parents.grid().id, index=3),
        Upscale(task_id=(single := parents.single()).id, kind="subtle"),
        Upscale(task_id=single.id, kind="creative"),
        Upscale(task_id=(older := parents.single("a cat --v 5.2")).id, kind="2x"),
        Upscale(task_id=older.id, kind="4x"),
    ],
    Vary: lambda parents: [
        Vary(task_id=parents.grid().id, index=4),
        Vary(task_id=(single := parents.single()).id, strength="subtle"),
        Vary(task_id=single.id, strength="strong"),
    ],
    Reroll: lambda parents: [Reroll(task_id=parents.grid().id)],
    Zoom: lambda parents: [
        Zoom(task_id=(single := parents.single()).id),
        Zoom(task_id=single.id, ratio=1.5),
        Zoom(task_id=single.id, ratio=None),
    ],
    Pan: lambda parents: [
        Pan(task_id=parents.single().id, direction=direction) for direction in ("left", "right", "up", "down")
    ],
    Inpaint: lambda parents: [Inpaint(task_id=parents.single().id)],
    Remix: lambda parents: [
        Remix(task_id=(grid := parents.grid("a cat --v 8.1")).id, index=2),
        Remix(task_id=grid.id, index=2, prompt="a dog", strength="subtle"),
    ],
    Animate: lambda parents: [
        Animate(task_id=(single := parents.single()).id),
        Animate(task_id=single.id, motion="low"),
        Animate(task_id=(grid := parents.grid()).id, index=4, prompt="waves", batch=4),
        Animate(task_id=grid.id, index=3, auto=True, end_image=_content()),
        Animate(task_id=single.id, auto=True),
    ],
    Extend: lambda parents: [
        Extend(task_id=(film := parents.film()).id),
        Extend(task_id=film.id, index=1, prompt="on and on", motion="low"),
    ],
    Confirm: lambda parents: [
        Confirm(task_id=parents.waiting().id, prompt="a red sofa", mask=_content()),
        Confirm(task_id=parents.waiting().id),
    ],
    Cancel: lambda parents: [Cancel(task_id=parents.waiting().id), Cancel(task_id=parents.pending().id)],
}

_TEXTS: Final = (Action.DESCRIBE, Action.SHORTEN)
_FILMS: Final = (Action.VIDEO, Action.VIDEO_EXTEND, Action.SWAP_VIDEO_FACE)


class Overheard:
    """A backend that writes down what it is asked, and does nothing of it."""

    def __init__(self, simulator: Simulator) -> None:
        self.commands: list[Command] = []
        self._simulator = simulator

    def submit(self, command: Command) -> NoReturn:
        """Refuses what it has written down."""
        self.commands.append(command)
        raise Unavailable("only listening")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._simulator, name)


class Cells(Stage):
    """Each cell of the capability table."""

    def test_the_examples_are_of_every_command(self) -> None:
        """Nothing of the vocabulary is left out."""
        assert set(EXAMPLES) == set(COMMANDS)
        assert set(self._new().supports) <= set(COMMANDS)

    @pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
    def test_cell(self, kind: type[Command]) -> None:
        """Native in one request, emulated in several, both to the end; unsupported asks nobody and says why."""
        if self._new().support(kind).level is Level.UNSUPPORTED:
            self._refused(kind)
            return
        clock, account, emulator = self._emulated()
        examples = EXAMPLES[kind](Parents(account, clock))
        assert account.provider.presses(examples[0]) is (self._new().support(kind).level is Level.EMULATED)
        for number, command in enumerate(examples):
            account.transport = heard = Listening(account.transport)
            try:
                task = account.submit(command)
            except Unsupported:
                assert number, f"{kind.__name__} is supported, and {command} is not"
                assert not [request for request in heard.requests if request.submits]
                continue
            check_requests(account, command, heard.requests)
            check_result(command, settled(account, clock, task))
            self._check_inverse(account, emulator, heard.requests)

    def _refused(self, kind: type[Command]) -> None:
        transport, why = FakeTransport(), self._new().support(kind).note
        for command in EXAMPLES[kind](NoParents()):
            with pytest.raises(Unsupported, match=kind.__name__) as caught:
                self._account(transport).submit(command)
            assert why in caught.value.message
        assert transport.requests == []

    def _check_inverse(self, account: Account, emulator: Emulator, requests: list[HttpRequest]) -> None:
        """The server half reads the request as a command that the client half writes as the same request."""
        said = next((request for request in reversed(requests) if request.submits), None)
        if said is None:
            return
        overheard = Overheard(emulator.simulator)
        account.provider.server(cast("Backend", overheard), emulator.public_url).handle(said)
        (command,) = overheard.commands
        account.transport = heard = Listening(account.transport)
        with suppress(InvalidCommand):  # a dialog is answered once, but then the request has been heard
            account.submit(command)
        again = next(request for request in reversed(heard.requests) if request.submits)
        assert _shown(again, emulator) == _shown(said, emulator)


def check_requests(account: Account, command: Command, requests: list[HttpRequest]) -> None:
    """One request that costs, more only where pictures are uploaded; before it the parent is read to find a button."""
    submits = sum(request.submits for request in requests)
    if not command.pictures:
        assert submits == (not isinstance(command, Cancel))
    assert (requests[0].method == "GET") is account.provider.presses(command), requests


def check_result(command: Command, task: Task) -> None:
    """What kind of task the command made."""
    if isinstance(command, Cancel):
        assert task.status is Status.CANCELLED
        return
    if task.status is Status.NEEDS_INPUT:
        assert isinstance(command, Inpaint | Zoom | Remix | Press)
        return
    assert task.status is Status.COMPLETED
    assert task.action == command.promised()["action"] or isinstance(command, Confirm | Remix)
    assert bool(task.texts) is (task.action in _TEXTS)
    assert bool(task.video_urls) is (task.action in _FILMS)
    assert bool(task.images) is (task.action not in (*_TEXTS, *_FILMS))


def _shown(request: HttpRequest, emulator: Emulator) -> tuple[Any, ...]:
    """A request with the emulator's own pictures for their addresses: an upload gets a new one every time."""

    def content(value: Any) -> list[Any]:
        own = f"{emulator.public_url}/"
        return [
            emulator.simulator.content(each) if isinstance(each, str) and each.startswith(own) else each
            for each in fields.each(value)
        ]

    body = {**fields.mapping(request.json), **request.form}
    return request.method, request.path, {key: content(value) for key, value in body.items()}, request.attachment
