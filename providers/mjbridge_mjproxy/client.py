"""The client half of the MJ-proxy family: commands to requests, replies to tasks or errors.

Sources: docs/api.md of novicezk/midjourney-proxy and litter-coder/midjourney-proxy-plus, the controllers of
trueai-org/midjourney-proxy, relay/relay-mj.go and service/midjourney.go of QuantumNous/new-api.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec

from mjbridge import (
    Animate,
    Backend,
    Command,
    Confirm,
    ContentRejected,
    DialectServer,
    Flow,
    HttpRequest,
    HttpResponse,
    Imagine,
    Inpaint,
    InvalidCommand,
    Level,
    MalformedRecord,
    Pan,
    Press,
    Provider,
    QuotaExceeded,
    RateLimited,
    Reroll,
    Status,
    Support,
    Task,
    TaskNotFound,
    Unavailable,
    Upload,
    Upscale,
    Vary,
    Zoom,
    fields,
)
from mjbridge.bodies import Body
from mjbridge.doubts import OnDoubt
from mjbridge.fields import Record
from mjbridge.pictures import inputs
from mjbridge.pictures.inputs import Takes
from mjbridge.provider import Complaint, Recognizer, Refusal, Signs, names_task, object_in, slugs
from mjbridge.uploads import CLIP, CONTENT
from mjbridge.wire import PICTURE_LIMIT
from mjbridge_mjproxy import bodies, records
from mjbridge_mjproxy.records import Form

_log = logging.getLogger("mjbridge")

# 1 submitted, 21 already there or waiting for input, 22 queued: a task exists in each case.
ACCEPTED: Final = frozenset({1, 21, 22})
_EXISTS_OR_MODAL: Final = 21
_MODAL: Final = "MODAL"
NO_CONTENT: Final = 204
"""The status of an empty reply."""
# Either tells that nothing of an empty reply was cut off.
_FRAMES: Final = frozenset({"content-length", "transfer-encoding"})

REFUSALS: Final[Mapping[str, Refusal]] = {
    # new-api says more in its `description` than in its code: service/midjourney.go, relay/relay-mj.go. It is one of
    # these words, and then often what the upstream said: "quota_not_enough 123".
    "quota_not_enough": Refusal(QuotaExceeded, "the balance does not pay for it"),
    "task_no_found": Refusal(TaskNotFound, "fetch or seed of an unknown task (the vendor's spelling)"),
    "task_not_found": Refusal(TaskNotFound, "follow-up of an unknown task"),
    "midjourney_task_not_found": Refusal(TaskNotFound, "picture of an unknown task"),
    "request blocked": Refusal(Unavailable, "the relay's own filter keeps it from the picture's address, at HTTP 403"),
    "proxy_url_invalid": Refusal(Unavailable, "the relay's own way to the picture's address is set up wrong"),
    "该任务所属渠道已被禁用": Refusal(Unavailable, "the parent's channel is switched off"),
    "get_channel_info_failed": Refusal(Unavailable, "the parent's channel is gone"),
    "do_request_failed": Refusal(Unavailable, "the upstream cannot be reached"),
    "read_response_body_failed": Refusal(Unavailable, "the upstream's answer cannot be read; nothing is charged"),
    "unmarshal_response_body_failed": Refusal(Unavailable, "the upstream's answer cannot be read; nothing is charged"),
    "empty_response_body": Refusal(Unavailable, "the upstream's answer is empty; nothing is charged"),
    "insert_midjourney_task_failed": Refusal(Unavailable, "accepted and charged, but not kept", accepted="maybe"),
    "new_api_error at HTTP 500": Refusal(Unavailable, "the gateway failed before anything was relayed"),
    # The submit codes: ReturnCode of novicezk and trueai, new-api's 5 and 30.
    # At HTTP 500 it is any exception of trueai's, and proves nothing.
    "-1 at HTTP 200": Refusal(Unavailable, "trueai's limits: tasks, queue, a service off; or a wrong JSON type"),
    "3 at HTTP 404": Refusal(TaskNotFound, "trueai's answer for an unknown parent"),
    "3": Refusal(Unavailable, "no usable Midjourney account; novicezk says it of a missing parent too"),
    "4": Refusal(InvalidCommand, "a parameter is wrong, or the parent is not finished"),
    "5": Refusal(Unavailable, "the upstream cannot be reached or read"),
    "9": Refusal(Unavailable, "internal failure, or trueai's queue is full"),
    "23": Refusal(Unavailable, "the queue is full; no task was made"),
    "24": Refusal(ContentRejected, "the prompt may hold a banned word"),
    "30": Refusal(RateLimited, "the group of accounts is saturated"),
}

NATIVE: Final = Support()
BY_DIMENSIONS: Final = Support(limits={"aspect": "not here"})
BY_BUTTON: Final = Support(Level.EMULATED, "found among the task's buttons")
BUTTONS: Final[Mapping[type[Command], Support]] = dict.fromkeys(
    (Upscale, Vary, Reroll, Zoom, Pan, Inpaint, Animate), BY_BUTTON
)


class FamilyProvider(Provider):
    """What the vendors of the family share; each states its `form`, `seed_path` and how it takes `speed` and `bot`."""

    api_version = 1
    supports: ClassVar[Mapping[type[Command], Support]] = {Imagine: NATIVE, Press: NATIVE, Confirm: NATIVE, **BUTTONS}
    bodies: Sequence[Body] = (bodies.IMAGINE, bodies.PRESS, bodies.CONFIRM)
    placed = frozenset({"speed"})
    takes: Mapping[str, Takes] = {
        "Blend.images": CONTENT,
        "Describe.image": CONTENT,
        "SwapFace.source": CONTENT,
        "SwapFace.target": CONTENT,
        "SwapFace.video": CLIP,
        "Upload.images": CONTENT,
        "Confirm.mask": CONTENT,
    }
    lacks: ClassVar[Mapping[str, str]] = {
        "Blend.aspect": "give dimensions: square, portrait or landscape",
        "Edit": "it edits one picture at a time",
        "Edit.retexture": "edit the picture with a prompt that names its new look",
        "Remix.prompt": "the task waits for it: confirm it with the prompt",
        "Remix.strength": "vary an upscaled picture by a strength",
        "Animate.prompt": "no button has one: give the picture to Video",
        "Animate.auto": "its buttons say only how much moves",
        "bot": "no page of its has one here: leave it out",
        "state": "no page of its has one here: keep the task's ref",
        "end_image": "its clips only begin with a picture",
        "loop": "its clips only begin with a picture",
        "batch": "ask once for each clip",
        "resolution": "leave it out: Midjourney has a size of its own for clips",
    }
    refusals = REFUSALS
    # Nobody states a limit of the list; a hundred records are some 300 kB.
    batch_size = 100
    form: ClassVar[Form]
    """How this vendor writes records."""
    seed_path: ClassVar[str | None] = "/mj/task/{id}/image-seed"
    unknown_by: ClassVar[frozenset[int]] = frozenset({NO_CONTENT})
    """The statuses of an empty reply to a fetch that say that there is no such task."""

    def written(self, command: Command) -> tuple[str, dict[str, Any]]:
        """A command's path and body, its speed in either."""
        if isinstance(command, Imagine):
            command = _addresses_in_prompt(command)
        path, body = super().written(command)
        return self.place_speed(path, body, command), body

    def place_speed(self, path: str, body: dict[str, Any], command: Command) -> str:
        """Write the speed into the body, or into the path that is returned."""
        if command.speed is not None:
            raise self.unsupported(*self.lack(command, "speed"))
        return path

    def accepted(self, command: Command, reply: HttpResponse) -> Task:
        """The task that a submit envelope `{code, description, result, properties}` promises."""
        envelope = fields.mapping(reply.json())
        if isinstance(command, Upload):
            return self._uploaded(command, envelope, reply)
        code, task_id = fields.whole(envelope.get("code")), fields.text(envelope.get("result"))
        if task_id is None or code not in ACCEPTED:
            raise reply.malformed("the submit answer names no task")
        properties = fields.mapping(envelope.get("properties"))
        # trueai makes a task of each suggestion for "PicReader::all", and joins their ids.
        task_id, *others = task_id.split(",")
        if others:
            properties["otherTaskIds"] = others
        # 21 with a status tells of a task that was there already; without one, the new task waits for input.
        there = properties.pop("status", None)
        told = self.normalize(
            {
                "id": task_id,
                "status": _MODAL if code == _EXISTS_OR_MODAL and there is None else there,
                "description": envelope.get("description"),
                "imageUrl": properties.pop("imageUrl", None),
                "properties": properties,
            }
        )
        return msgspec.structs.replace(told, **command.promised(), raw=fields.raw(reply.body))

    def _uploaded(self, command: Upload, envelope: Mapping[str, Any], reply: HttpResponse) -> Task:
        addresses = fields.urls(envelope.get("result"))
        if not addresses:
            raise reply.malformed("the answer to an upload names no address")
        return Task(
            id=addresses[0],
            provider=self.name,
            status=Status.COMPLETED,
            image_urls=addresses,
            raw=fields.raw(reply.body),
            **command.promised(),
        )

    def fetch(self, task_id: str) -> Flow[Task]:
        """`GET /mj/task/{id}/fetch`: the bare task."""
        reply = yield HttpRequest("GET", path_of("/mj/task/{id}/fetch", task_id))
        is_empty = not reply.body and (reply.status == NO_CONTENT or reply.headers.keys() & _FRAMES)
        if is_empty and reply.status in self.unknown_by:
            raise TaskNotFound(f"the vendor has no task {task_id}", http_status=reply.status)
        return self.normalize(reply.body)

    def fetch_many(self, task_ids: Sequence[str]) -> Flow[list[Task]]:
        """`POST /mj/task/list-by-condition`: a bare array, in the vendor's order, without the ids it does not know.

        What is no task in it is left out, and logged; `MalformedRecord` if nothing else is there.
        """
        reply = yield HttpRequest("POST", "/mj/task/list-by-condition", json={"ids": list(task_ids)})
        found: list[Task] = []
        faults: list[MalformedRecord] = []
        for record in reply.records():
            try:
                found.append(self.normalize(record))
            except MalformedRecord as error:
                faults.append(error)
                # Without its words, which may quote the item, and with it a key that the vendor echoes.
                _log.warning("an item of a list of %s is left out: it is malformed at %s", self.name, error.path)
        if faults and not found:
            raise faults[0]
        return found

    def probe(self) -> Flow[None]:
        """A list without the one task asked for: novicezk answers the fetch of an unknown task with an empty body."""
        yield from self.fetch_many([self.new_task_id(0, 0)])

    def seed(self, task_id: str) -> Flow[str]:
        """`GET /mj/task/{id}/image-seed`: the seed is the `result` of an envelope."""
        if self.seed_path is None:
            raise self.unsupported("seed")
        reply = yield HttpRequest("GET", path_of(self.seed_path, task_id))
        seed = fields.text(fields.mapping(reply.json()).get("result"))
        if seed is None:
            raise reply.malformed("the reply names no seed")
        return seed

    def image(self, task_id: str) -> Flow[bytes]:
        """`GET /mj/image/{id}`: the picture itself, or a redirect to it (OctopusX's page calls it by `curl -L`)."""
        reply = yield HttpRequest("GET", path_of("/mj/image/{id}", task_id), follows=True, limit=PICTURE_LIMIT)
        return reply.body

    def complaint(self, response: HttpResponse) -> Complaint | None:
        """A refusing submit envelope, new-api's flat `{description, type, code}`, or an `{error}` of its gateway."""
        document = object_in(response)
        if "id" in document:
            return None
        # novicezk's page shows an id beside a full queue: whether there is such a task, nobody says.
        named = names_task(document)
        error = document.get("error")
        if error and isinstance(error, str):
            # Only the image proxy's words look like this, and those of any web framework.
            return Complaint(error, error, slugs(error), documented=False, names_task=named)
        told = fields.mapping(error) or document
        code, kind = fields.text(told.get("code")) or "", fields.text(told.get("type")) or ""
        if told is document and (not code or fields.whole(code) in ACCEPTED):
            return None
        message = _message(told, "description", "message")
        keys = (*slugs(message), f"{code} at HTTP {response.status}", code, f"{kind} at HTTP {response.status}")
        # Without the relays' `type`, the object of any gateway looks like this: then only the family's own codes tell.
        return Complaint(message, code or kind, keys, documented=bool(kind), names_task=named)

    def normalize(self, record: Record) -> Task:
        """Any wire record of the family."""
        return self.normalizer()(record)

    def normalizer(self, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None) -> Callable[[Record], Task]:
        """`normalize`, bound once."""
        return records.normalizer(self.name, keep_raw=keep_raw, on_doubt=on_doubt)

    def recognizer(
        self, foreign: Signs, *, keep_raw: bool = True, on_doubt: OnDoubt | None = None
    ) -> Recognizer | None:
        """Wire records, by the vendor's own links. None without any, and where its records are read in another way."""
        if not self.signs.links or not self._reads_as_the_family():
            return None
        return records.recognizer(self.name, self.signs.links, foreign, keep_raw=keep_raw, on_doubt=on_doubt)

    def _reads_as_the_family(self) -> bool:
        mine, family = type(self), FamilyProvider
        return mine.normalizer is family.normalizer and mine.normalize is family.normalize

    def render(self, task: Task) -> dict[str, Any]:
        """A record with the keys this vendor writes."""
        return records.render(task, self.form)

    def server(self, backend: Backend, public_url: str) -> DialectServer:
        """The family's API."""
        from mjbridge_mjproxy.server import FamilyServer  # noqa: PLC0415 only an emulator or a gateway needs the server half

        return FamilyServer(self, backend, public_url)


def path_of(template: str, task_id: str) -> str:
    """A path with the task's id in it, quoted."""
    return template.format(id=quote(task_id, safe=""))


def _message(document: Mapping[str, Any], *keys: str) -> str:
    return next(filter(None, (fields.text(document.get(key)) for key in keys)), "the vendor gives no reason")


def _addresses_in_prompt(command: Imagine) -> Imagine:
    """Addresses of reference pictures stand before the words, as Midjourney itself has them."""
    addresses = [str(each) for each in command.images if inputs.is_address(each)]
    contents = tuple(each for each in command.images if not inputs.is_address(each))
    return msgspec.structs.replace(command, prompt=" ".join([*addresses, command.prompt]), images=contents)
