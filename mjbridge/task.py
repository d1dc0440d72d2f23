"""The canonical task, and the words it is made of."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec

NO_RAW: Final = msgspec.Raw()
"""The `raw` of a task that was built here, or read with `keep_raw=False`."""


class Status(StrEnum):
    """Where a task stands, whatever its vendor calls it."""

    PENDING = "pending"
    PROCESSING = "processing"
    NEEDS_INPUT = "needs_input"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


DONE: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
SETTLED: Final = DONE | {Status.NEEDS_INPUT}


class Action(StrEnum):
    """What made a task: the actions known today. `Task.action` may hold others, lower-cased."""

    IMAGINE = "imagine"
    BLEND = "blend"
    DESCRIBE = "describe"
    SHORTEN = "shorten"
    EDIT = "edit"
    RETEXTURE = "retexture"
    VIDEO = "video"
    VIDEO_EXTEND = "video_extend"
    SWAP_FACE = "swap_face"
    SWAP_VIDEO_FACE = "swap_video_face"
    UPLOAD = "upload"
    SHOW = "show"
    ACTION = "action"
    UPSCALE = "upscale"
    UPSCALE_HD = "upscale_hd"
    VARIATION = "variation"
    HIGH_VARIATION = "high_variation"
    LOW_VARIATION = "low_variation"
    REROLL = "reroll"
    ZOOM = "zoom"
    CUSTOM_ZOOM = "custom_zoom"
    OUTPAINT = "outpaint"
    PAN = "pan"
    INPAINT = "inpaint"
    REMIX_STRONG = "remix_strong"
    REMIX_SUBTLE = "remix_subtle"
    MODAL = "modal"
    PIC_READER = "pic_reader"


class Bot(StrEnum):
    """The bot that draws. `Task.bot` may hold others, lower-cased."""

    MIDJOURNEY = "midjourney"
    NIJI = "niji"


class Speed(StrEnum):
    """The queue that runs a task, and so its price. `Task.speed` may hold others, lower-cased."""

    RELAX = "relax"
    FAST = "fast"
    TURBO = "turbo"


# Where the index stands behind the kind: an Outpaint button names its zoom first ("MJ::Outpaint::50::1::...").
_INDEX_PLACE = {"outpaint": 2}
_LONGEST_INDEX = 4


# What a press makes, by how the button's kind begins.
_ACTIONS_OF_KINDS = {
    "upsample": Action.UPSCALE,
    "video_virtual_upscale": Action.UPSCALE,
    "variation": Action.VARIATION,
    "high_variation": Action.HIGH_VARIATION,
    "low_variation": Action.LOW_VARIATION,
    "reroll": Action.REROLL,
    "pan_": Action.PAN,
    "outpaint": Action.ZOOM,
    "customzoom": Action.CUSTOM_ZOOM,
    "inpaint": Action.INPAINT,
    "animate_": Action.VIDEO,
}


class Button(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A follow-up that a finished task offers.

    `custom_id` is the vendor's handle (`"MJ::JOB::upsample::2::<hash>"`): copy it, never build it.
    `type` and `style` are Discord's numbers, None where the vendor leaves them out.
    """

    custom_id: str
    label: str = ""
    emoji: str = ""
    type: int | None = None
    style: int | None = None

    @property
    def kind(self) -> str:
        """What the button does, as `custom_id` says: `"upsample"`, `"pan_left"`, `"outpaint"`; `""` if it does not."""
        return next(iter(self._words), "").lower()

    @property
    def index(self) -> int | None:
        """The picture it is for, as `custom_id` says: 1-4 in a grid, 0 for the whole grid, None where it names none."""
        words, place = self._words, _INDEX_PLACE.get(self.kind, 1)
        word = words[place] if len(words) > place else ""
        return int(word) if word.isascii() and word.isdecimal() and len(word) <= _LONGEST_INDEX else None

    @property
    def action(self) -> str:
        """What a press makes, as `Task.action` will say it; `""` if the kind is not known."""
        return next((action.value for start, action in _ACTIONS_OF_KINDS.items() if self.kind.startswith(start)), "")

    @property
    def _words(self) -> list[str]:
        family, *words = self.custom_id.split("::")
        if family != "MJ":
            return []
        return words[1:] if words[:1] in (["JOB"], ["Job"]) else words


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """An account that was tried and passed on: its name, its provider, the error's category and message."""

    account: str
    provider: str
    category: str
    message: str


class Task(msgspec.Struct, frozen=True, omit_defaults=True, eq=False, tag_field="schema_version", tag=1, gc=False):
    """One Midjourney task, whoever sold it. Build it by keyword.

    Times are aware and in UTC; a field is None, `""` or `()` where the vendor says nothing.
    Two tasks are equal when all their fields but `raw` are: `raw` is where a task was read from, not what it is.
    """

    schema_version: ClassVar[int] = 1

    id: str
    provider: str = ""
    status: Status = Status.UNKNOWN
    vendor_status: str = ""
    account: str = ""
    action: str = ""
    progress: int | None = None
    prompt: str | None = None
    prompt_en: str | None = None
    final_prompt: str | None = None
    description: str | None = None
    fail_reason: str | None = None
    state: str | None = None
    image_url: str | None = None
    image_urls: tuple[str, ...] = ()
    preview_url: str | None = None
    video_urls: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    buttons: tuple[Button, ...] = ()
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    parent_id: str | None = None
    custom_id: str | None = None
    bot: str | None = None
    speed: str | None = None
    seed: str | None = None
    cost_usd: float | None = None
    properties: dict[str, Any] = {}
    raw: msgspec.Raw = NO_RAW
    attempts: tuple[Attempt, ...] = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _COMPARED)

    def __ne__(self, other: object) -> bool:
        # msgspec's own would compare identities.
        return not self == other

    def __hash__(self) -> int:
        return hash((self.provider, self.account, self.id))

    @property
    def done(self) -> bool:
        """Nothing more will happen: completed, failed or cancelled."""
        return self.status in DONE

    @property
    def settled(self) -> bool:
        """Polling further is pointless: done, or waiting for the caller's input."""
        return self.status in SETTLED

    @property
    def ref(self) -> str:
        """`"account:id"`: all an application has to store to come back to this task."""
        return f"{self.account}:{self.id}"

    @property
    def images(self) -> tuple[str, ...]:
        """The finished pictures' addresses: the singles where the vendor gives them, else its one picture."""
        return self.image_urls or ((self.image_url,) if self.image_url else ())

    def button(self, kind: str, index: int | None = None) -> Button | None:
        """The first button of that kind (and index), or with that label, emoji or custom id; None if there is none.

        >>> task = Task(id="1", buttons=(Button("MJ::JOB::upsample::2::d3adb33f", "U2"),))
        >>> task.button("upsample", 2) == task.button("U2") == task.buttons[0]
        True
        """
        if not kind:
            # Most buttons have no emoji, or no label: what names nothing would name the first of them.
            return None
        if index is not None:
            return next((each for each in self.buttons if each.kind == kind and each.index == index), None)
        return next(
            (each for each in self.buttons if kind in (each.custom_id, each.label, each.emoji, each.kind)), None
        )

    def to_json(self) -> bytes:
        """The canonical record: one line of JSON, `raw` included, fields at their default left out."""
        line = _encode(self)
        # As numbers, for that is how bytes are searched at once: "b in b" first tries, and fails, to read a number.
        if self.raw is NO_RAW or not (_LF in line or _CR in line):
            return line
        # Only `raw` can hold a bare line break, which within valid JSON is white space: it keeps its meaning.
        return line.replace(b"\n", b" ").replace(b"\r", b" ")


_LF, _CR = b"\n\r"
_encode: Final = msgspec.json.Encoder().encode
_COMPARED = tuple(name for name in Task.__struct_fields__ if name != "raw")

decode: Final = msgspec.json.Decoder(Task).decode
"""The inverse of `Task.to_json`."""
