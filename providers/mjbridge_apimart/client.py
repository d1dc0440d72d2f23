"""The client half: commands to requests, replies to tasks or errors.

Source: https://docs.apimart.ai/en/api-reference/images/midjourney/ (imagine, upscale, variation, reroll, query,
workflow, best-practices). Submits answer at once; every result is polled.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Literal, TypeGuard
from urllib.parse import quote

import msgspec

from mjbridge import (
    Animate,
    Backend,
    Blend,
    Bot,
    Command,
    Confirm,
    ContentRejected,
    Describe,
    DialectServer,
    Edit,
    Flow,
    HttpRequest,
    HttpResponse,
    Imagine,
    Inpaint,
    InvalidCommand,
    Match,
    Pan,
    Press,
    Provider,
    RateLimited,
    Remix,
    Reroll,
    Status,
    Support,
    Task,
    TaskNotFound,
    Unavailable,
    Upload,
    Upscale,
    Vary,
    Video,
    Zoom,
    fields,
    uploads,
)
from mjbridge.commands import ByButton, Drawing
from mjbridge.doubts import OnDoubt
from mjbridge.fields import Record
from mjbridge.pictures import inputs, masks
from mjbridge.pictures.inputs import Takes
from mjbridge.provider import COMMAND_FAULTS, Complaint, Recognizer, Refusal, Signs, names_task, object_in, slugs
from mjbridge.task import NO_RAW
from mjbridge.wire import Attachment
from mjbridge_apimart import records
from mjbridge_apimart.bodies import BODIES

# 21 is MODAL, which waits for input, and is accepted: best-practices.
_ACCEPTED: Final = frozenset({200, 1, 21, 22})

REFUSALS: Final[Mapping[str, Refusal]] = {
    # Codes in words: `error.code`, or the beginning of `error.message`.
    "get_channel_failed": Refusal(Unavailable, "no channel is free, told with HTTP 400"),
    "build_request_failed": Refusal(InvalidCommand, "a parameter is wrong, told with HTTP 500"),
    "idempotency_in_progress": Refusal(RateLimited, "the same request is still running", accepted="maybe"),
    "idempotency_key_reused": Refusal(InvalidCommand, "another request had this key"),
    "idempotency_unavailable": Refusal(Unavailable, "the request was not run"),
    "idempotency_result_indeterminate": Refusal(Unavailable, "the platform itself cannot tell", accepted="maybe"),
    "task_failed": Refusal(Unavailable, "the platform could not run it"),
    # Numeric business codes: https://docs.apimart.ai/en/api-reference/images/midjourney/best-practices
    "3 of a task": Refusal(TaskNotFound, "the text speaks of a task: it, or the parent, is unknown"),
    "3": Refusal(Unavailable, "no Midjourney instance is free"),
    "4": Refusal(InvalidCommand, "a parameter is wrong, or the parent is not finished"),
    "9": Refusal(Unavailable, "the service refused"),
    "24": Refusal(ContentRejected, "a banned prompt; refunded"),
    "HTTP 422": Refusal(ContentRejected, "moderation refused the prompt or a picture; refunded"),
    # What `error.type` says around a failure, by the tabs and the table of the pages.
    "server_error at HTTP 500": Refusal(Unavailable, "the platform failed, in its own words"),
    "internal_error at HTTP 500": Refusal(Unavailable, "the platform failed, in its own words"),
    "bad_gateway at HTTP 502": Refusal(Unavailable, "the upstream refused"),
}


NATIVE: Final = Support()

# "Each image <= 12 MiB", and where they are uploaded "JPEG/PNG/WebP/GIF, <= 20 MB".
_TYPES: Final = ("png", "jpeg", "webp")
_LARGEST: Final = 12 * 2**20
_UPLOADED: Final = Takes(address=False, limit=20 * 10**6)


class APIMartOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the vendor's pages of different age disagree about.

    `pictures`: `upload` gives every picture an address first (the upload page: generations no longer take base64),
    `inline` sends base64 (the Midjourney pages). `repaints`: what of a mask is painted anew, `transparent` as the newer
    pages say, or `white` as the older ones do.
    """

    pictures: Literal["upload", "inline"] = "upload"
    repaints: masks.Repaints = "transparent"


class APIMart(Provider):
    """One path an action, ids in `data[0].task_id`, and two shapes of query that `normalize` reads alike."""

    name = "apimart"
    api_version = 1
    base_url = "https://api.apimart.ai"
    supports: ClassVar[Mapping[type[Command], Support]] = {
        Imagine: NATIVE,
        Blend: Support(limits={"images": "2 to 4"}),
        Describe: NATIVE,
        Edit: Support(limits={"mask, retexture": "not here"}),
        Video: Support(limits={"speed": "always fast", "loop": "not here"}),
        Upload: Support(limits={"images": "20 MB each"}),
        Press: Support(
            note="upscales, variations, reroll, zoom, pan and inpaint", limits={"speed": "not of an upscale"}
        ),
        Upscale: Support(note="by kind: found among the task's buttons", limits={"speed": "not here"}),
        Vary: NATIVE,
        Reroll: NATIVE,
        Zoom: Support(limits={"ratio": "1.5 or 2"}),
        Pan: NATIVE,
        Inpaint: NATIVE,
        Remix: Support(note="of tasks of version 8.1 and 8.2"),
        Animate: Support(limits={"speed": "always fast", "auto": "of a grid's picture"}),
        Confirm: NATIVE,
    }
    lacks: ClassVar[Mapping[str, str]] = {
        "Blend": "it blends 2 to 4 pictures",
        "Shorten": "no page of its has it; describe a picture, or write a shorter prompt",
        "SwapFace": "no page of its has it; edit the picture instead",
        "Extend": "it refuses extensions: give the last frame to Video",
        "Cancel": "no page of its has it; a task that waits for input ends after 30 minutes, refunded",
        "Press": "each kind of button has a path of its own, and this kind has none",
        "Zoom": "its custom zoom is 1.5 or 2 as well: give one of these",
        "Animate": "auto is of a grid's picture: give its index",
        "Upscale.speed": "an upscale has one, and a named one may cost more: leave it out",
        "Press.speed": "an upscale has one, and a named one may cost more: leave it out",
        "Press.remix": "ask for Remix, which takes the prompt at once",
        "bot": "only Imagine and Edit have one",
        "Edit.mask": "inpaint an upscaled picture instead",
        "Edit.retexture": "edit the picture with a prompt that names its new look",
        "Video.loop": "give the first frame as end_image too",
        "speed": "a video is always fast",
        "state": "it does not say that it echoes anything; extra = {'metadata': ...} is stored",
    }
    bodies = BODIES
    refusals = REFUSALS
    # The engine's refusal of a parameter comes only with the failed task: "upstream code=4: ...".
    command_faults = (*COMMAND_FAULTS, "upstream code=4:")
    signs = records.SIGNS
    # "3-5 s; faster is pointless": https://docs.apimart.ai/en/api-reference/images/midjourney/query
    poll_interval = 4.0
    Options = APIMartOptions

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        form = Takes(content=self.options.pictures == "inline", limit=_LARGEST, types=_TYPES)
        names = (
            *("Imagine.images", "Blend.images", "Describe.image", "Edit.images", "Confirm.mask"),
            *("Video.image", "Video.end_image", "Animate.end_image"),
        )
        self.takes = {**dict.fromkeys(names, form), "Upload.images": _UPLOADED}

    def submit(self, command: Command) -> Flow[Task]:
        """An upload makes no task, and costs nothing."""
        if isinstance(command, Upload):
            return (yield from self.hosted(command))
        return (yield from super().submit(command))

    def presses(self, command: Command) -> TypeGuard[ByButton]:
        """An upscale of a kind: the vendor matches an index alone."""
        return isinstance(command, Upscale) and command.kind is not None

    def converted(self, command: Any) -> Flow[Any]:
        """A mask in the vendor's meaning; every picture at an address, unless the option `pictures` says otherwise."""
        if isinstance(command, Confirm) and command.mask:
            mask = str(command.mask)
            if inputs.is_address(mask):
                mask = yield from uploads.read(mask, Takes(limit=_LARGEST), "mask")
            command = msgspec.structs.replace(command, mask=masks.to_vendor(mask, self.options.repaints))
        return (yield from super().converted(command))

    def hosted(self, command: Upload) -> Flow[Task]:
        """One by one: https://docs.apimart.ai/en/api-reference/uploads/images names no price."""
        self.refuse_fields(command, "speed", "state", way_round="an upload is a picture alone")
        addresses: list[str] = []
        raw = NO_RAW
        command = yield from self.converted(command)
        for picture in command.images:
            reply = yield HttpRequest("POST", "/v1/uploads/images", attachment=_attachment(str(picture)))
            address = fields.text(fields.mapping(reply.json()).get("url"))
            if address is None:
                raise reply.malformed("the answer to an upload names no url")
            addresses.append(address)
            raw = fields.raw(reply.body)
        return Task(
            id=addresses[0],
            provider=self.name,
            status=Status.COMPLETED,
            image_urls=tuple(addresses),
            raw=raw,
            **command.promised(),
        )

    def written(self, command: Command) -> tuple[str, dict[str, Any]]:
        """A version of niji's is told by a field that names the bot."""
        if isinstance(command, Drawing) and command.niji:
            command = msgspec.structs.replace(command, bot=Bot.NIJI)
        return super().written(command)

    def accepted(self, command: Command, reply: HttpResponse) -> Task:
        """`{code, data: [{status, task_id}]}`, which inpaint answers in two more forms."""
        told = _entry(fields.mapping(reply.json()))
        if fields.text(told.get("task_id")) is None:
            raise reply.malformed("the submit answer names no task_id")
        task = self.normalize({"task_id": told["task_id"], "status": told.get("status")})
        return msgspec.structs.replace(task, **command.promised(), raw=fields.raw(reply.body))

    def fetch(self, task_id: str) -> Flow[Task]:
        """`GET /v1/midjourney/{task_id}`: the query with buttons. A task is kept for three days, then 404."""
        reply = yield HttpRequest("GET", f"/v1/midjourney/{quote(task_id, safe='')}")
        return self.normalize(reply.body)

    # Many are fetched one by one: no page tells what `POST /v1/tasks/batch` takes.

    def complaint(self, response: HttpResponse) -> Complaint | None:
        """`{error: {code, message, type}}` in its variants, or a refusing `{code, description}`."""
        document = object_in(response)
        error = document.get("error")
        if isinstance(error, str) and error:
            error = {"message": error}
        named = names_task(document)
        if fields.is_object(error) and error and "status" not in document:
            return _complaint(error, response.status, documented=True, named=named)
        code = fields.text(document.get("code"))
        if code is None or fields.whole(code) in _ACCEPTED or "task_id" in _entry(document):
            return None
        # The shape of these is on no page, and any gateway's looks like it: only the codes of the table tell.
        return _complaint(document, response.status, documented=False, named=named)

    def normalize(self, record: Record) -> Task:
        """A record of the Midjourney query, the unified query or the webhook."""
        return self.normalizer()(record)

    def normalizer(self, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None) -> Callable[[Record], Task]:
        """`normalize`, bound once."""
        return records.normalizer(self.name, keep_raw=keep_raw, on_doubt=on_doubt)

    def recognizer(self, foreign: Signs, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None) -> Recognizer:
        """Records with its key, or ids of its form."""
        return records.recognizer(self.name, foreign, keep_raw=keep_raw, on_doubt=on_doubt)

    def render(self, task: Task) -> dict[str, Any]:
        """A record of the Midjourney query."""
        return records.render(task)

    def matches(self, record: Mapping[str, Any]) -> Match:
        """By `grid_image_url`, the form of the id, or the unified shape."""
        return records.matches(record)

    def server(self, backend: Backend, public_url: str) -> DialectServer:
        """APIMart's own API."""
        from mjbridge_apimart.server import APIMartServer  # noqa: PLC0415 only an emulator or a gateway needs the server half

        return APIMartServer(self, backend, public_url)

    def new_task_id(self, milliseconds: int, serial: int) -> str:
        """`task_` and a ULID: ten digits of time, sixteen that here count."""
        return f"task_{_crockford(milliseconds, 10)}{_crockford(serial, 16)}"


def _attachment(picture: str) -> Attachment:
    content = inputs.content(picture, "images")
    kind = inputs.picture_type(content) or ""
    return Attachment("file", f"picture.{kind}", f"image/{kind}", content)


def _entry(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a submit answer says of its task: `data[0]`, or the answer itself."""
    return fields.mapping(next(iter(fields.each(answer.get("data"))), answer))


_OF_A_TASK: Final = re.compile("task|parent|任务", re.IGNORECASE)


def _complaint(error: Mapping[str, Any], status: int, *, documented: bool, named: bool) -> Complaint:
    """Codes come as numbers, words, numeric text, `""` or not at all."""
    message = fields.text(error.get("message")) or fields.text(error.get("description")) or "the vendor gives no reason"
    kind = fields.text(error.get("type")) or ""
    code = fields.text(error.get("code")) or kind
    of_a_task = f"{code} of a task" if _OF_A_TASK.search(message) else ""
    return Complaint(message, code, (*slugs(message), of_a_task, code, f"{kind} at HTTP {status}"), documented, named)


_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _crockford(number: int, length: int) -> str:
    return "".join(_CROCKFORD[number >> 5 * place & 31] for place in reversed(range(length)))
