"""What the vendors' own pages show as requests, and what they say of them: each dialect server reads it so."""

from typing import Any, Final

import msgspec
import pytest

from mjbridge import (
    Animate,
    Blend,
    Command,
    Confirm,
    Describe,
    Edit,
    Extend,
    HttpRequest,
    Imagine,
    Inpaint,
    Pan,
    Press,
    Remix,
    Reroll,
    Shorten,
    Upscale,
    Vary,
    Video,
    Zoom,
    plugins,
)
from mjbridge.emulator import Simulator, pictures
from mjbridge.errors import Unavailable
from mjbridge.pictures.inputs import data_uri

PARENT: Final = "task_01KQVZAPBW13W63DQNQZT7FCQK"
PNG: Final = data_uri(pictures.single("a request", 1), "images")
LINK: Final = "https://example.com/a.png"
OTHER: Final = "https://example.com/b.png"
# What an empty template of a page leaves in a body.
TEMPLATE: Final[dict[str, Any]] = {
    "notifyHook": "",
    "state": "",
    "accountFilter": {"instanceId": "", "modes": [], "remix": True},
}

Case = tuple[str, dict[str, Any], Command]

# https://docs.apimart.ai/en/api-reference/images/midjourney/: below /v1/midjourney/generations.
APIMART: Final[list[Case]] = [
    (
        "",
        {"prompt": "a sunset", "size": "16:9", "version": "6.1", "speed": "fast", "model": "midjourney"},
        Imagine(prompt="a sunset", aspect="16:9", version="6.1", speed="fast"),
    ),
    ("", {"prompt": "a garden", "niji": True, "version": "7"}, Imagine(prompt="a garden", bot="niji", niji="7")),
    (
        "/imagine",
        {"prompt": "a", "image_urls": [LINK], "iw": 1.5},
        Imagine(prompt="a", images=(LINK,), image_weight=1.5),
    ),
    # "Body value wins over the same flag hand-written in prompt"; what has no flag of its own is appended.
    (
        "",
        {"prompt": "a cat --v 6.1 --ar 1:1 --no dogs, birds", "version": "7", "negative_prompt": "mice"},
        Imagine(prompt="a cat --ar 1:1", version="7", negative="mice"),
    ),
    ("", {"prompt": "a cat --s 50", "stylize": 0}, Imagine(prompt="a cat", stylize=0)),
    (
        "",
        {"prompt": "a cat", "dref": LINK, "dw": 50, "extra": "--exp 10"},
        Imagine(prompt=f"a cat --dref {LINK} --dw 50 --exp 10"),
    ),
    ("/blend", {"image_urls": [LINK, OTHER], "dimensions": "SQUARE"}, Blend(images=(LINK, OTHER), dimensions="square")),
    # "Beats dimensions".
    (
        "/blend",
        {"image_urls": [LINK, OTHER], "dimensions": "SQUARE", "size": "16:9"},
        Blend(images=(LINK, OTHER), aspect="16:9"),
    ),
    # "Only first used".
    ("/describe", {"image_urls": [LINK, OTHER], "speed": "fast"}, Describe(image=LINK, speed="fast")),
    (
        "/edits",
        {"prompt": "at night --ar 1:1", "image_urls": [LINK], "version": "8.1"},
        Edit(prompt="at night --ar 1:1", images=(LINK,), version="8.1"),
    ),
    ("/upscale", {"task_id": PARENT, "index": 1}, Upscale(task_id=PARENT, index=1)),
    # "Skips auto-matching and wins over index when both are sent".
    (
        "/upscale",
        {"task_id": PARENT, "index": 2, "custom_id": "MJ::JOB::upsample_v7_2x_subtle::1::xxxx"},
        Press(task_id=PARENT, custom_id="MJ::JOB::upsample_v7_2x_subtle::1::xxxx"),
    ),
    ("/variation", {"task_id": PARENT, "index": 3, "speed": "turbo"}, Vary(task_id=PARENT, index=3, speed="turbo")),
    ("/high-variation", {"task_id": PARENT, "index": 1}, Vary(task_id=PARENT, strength="strong")),
    ("/low-variation", {"task_id": PARENT, "index": 1}, Vary(task_id=PARENT, strength="subtle")),
    ("/reroll", {"task_id": PARENT}, Reroll(task_id=PARENT)),
    # Two tiers alone: less than 2 is 1.5; what is left out, or more, is 2.
    ("/zoom", {"task_id": PARENT, "zoom_ratio": 1.8}, Zoom(task_id=PARENT, ratio=1.5)),
    ("/zoom", {"task_id": PARENT, "zoom_ratio": 3}, Zoom(task_id=PARENT, ratio=2)),
    ("/zoom", {"task_id": PARENT, "index": 1}, Zoom(task_id=PARENT, ratio=2)),
    ("/pan", {"task_id": PARENT, "direction": "right", "index": 1}, Pan(task_id=PARENT, direction="right")),
    ("/inpaint", {"task_id": PARENT}, Inpaint(task_id=PARENT)),
    ("/modal", {"task_id": PARENT, "prompt": "a red sofa"}, Confirm(task_id=PARENT, prompt="a red sofa")),
    ("/remix-strong", {"task_id": PARENT, "index": 1}, Remix(task_id=PARENT, index=1, strength="strong")),
    # An empty prompt is the parent's.
    ("/remix-subtle", {"task_id": PARENT, "index": 4, "prompt": ""}, Remix(task_id=PARENT, index=4, strength="subtle")),
    ("/video", {"image_urls": [LINK], "motion": "high", "batch_size": 4}, Video(image=LINK, batch=4)),
    (
        "/video",
        {"image_urls": [LINK], "end_url": OTHER, "video_type": "vid_1.1_i2v_start_end_720"},
        Video(image=LINK, end_image=OTHER, resolution=720),
    ),
    ("/video", {"task_id": PARENT, "index": 0, "motion": "low"}, Animate(task_id=PARENT, index=1, motion="low")),
    (
        "/video",
        {"task_id": PARENT, "index": 3, "animate_mode": "auto", "end_url": LINK},
        Animate(task_id=PARENT, index=4, auto=True, end_image=LINK),
    ),
    (
        "/video",
        {"task_id": PARENT, "index": 0, "animate_mode": "manual", "prompt": "waves"},
        Animate(task_id=PARENT, index=1, prompt="waves"),
    ),
]

# https://apidoc.cometapi.com/api/image/midjourney/: below /mj/submit.
COMETAPI: Final[list[Case]] = [
    ("/imagine", {"prompt": "a paper boat --v 6.1"}, Imagine(prompt="a paper boat --v 6.1")),
    (
        "/action",
        {"customId": "MJ::JOB::variation::3::example", "taskId": "1773314942177684"},
        Press(task_id="1773314942177684", custom_id="MJ::JOB::variation::3::example"),
    ),
    ("/modal", {"taskId": "14001934816969359"}, Confirm(task_id="14001934816969359")),
    ("/blend", {"base64Array": [PNG, PNG]}, Blend(images=(PNG, PNG))),
    ("/describe", {"base64": PNG}, Describe(image=PNG)),
    ("/describe", {"link": LINK}, Describe(image=LINK)),
    ("/video", {"motion": "low", "image": LINK}, Video(image=LINK, motion="low")),
    (
        "/video",
        {"motion": "high", "image": LINK, "action": "extend", "index": 0, "taskId": "1773314942177684"},
        Extend(task_id="1773314942177684"),
    ),
    (
        "/change",
        {"action": "UPSCALE", "index": 1, "notifyHook": "", "state": "", "taskId": "1320098173412546"},
        Upscale(task_id="1320098173412546", index=1),
    ),
]

# https://docs.octopusx.ai/en/images/midjourney/submit
OCTOPUSX: Final[list[Case]] = [
    (
        "/imagine",
        {"mode": "RELAX", "prompt": "Cat", "base64Array": [PNG], "state": "", "notifyHook": ""},
        Imagine(prompt="Cat", images=(PNG,), speed="relax"),
    ),
    (
        "/blend",
        {"mode": "FAST", "base64Array": [PNG, PNG], "dimensions": "PORTRAIT", "botType": "niji"},
        Blend(images=(PNG, PNG), dimensions="portrait", bot="niji", speed="fast"),
    ),
    # Which of the two is taken is not verified.
    ("/blend", {"base64Array": [PNG, PNG], "botType": "MID_JOURNEY"}, Blend(images=(PNG, PNG), bot="midjourney")),
]

# docs/api/midjourney-proxy-image.md of zeta-techs/new-api-docs, docs/api.md of litter-coder/midjourney-proxy-plus,
# SubmitController of trueai-org/midjourney-proxy, README of novicezk/midjourney-proxy.
MJPROXY: Final[list[Case]] = [
    (
        "/imagine",
        {"botType": "MID_JOURNEY", "prompt": "Cat", "base64Array": [], **TEMPLATE},
        Imagine(prompt="Cat", bot="midjourney"),
    ),
    (
        "/imagine",
        {"prompt": "Cat", "accountFilter": {"modes": ["TURBO"]}, "state": "17"},
        Imagine(prompt="Cat", speed="turbo", state="17"),
    ),
    (
        "/action",
        {
            "chooseSameChannel": True,
            "customId": "MJ::JOB::upsample::1::82c51c9d",
            "taskId": "1728781324658687",
            **TEMPLATE,
        },
        Press(task_id="1728781324658687", custom_id="MJ::JOB::upsample::1::82c51c9d"),
    ),
    ("/modal", {"maskBase64": "", "prompt": "", "taskId": "14001934816969359"}, Confirm(task_id="14001934816969359")),
    ("/describe", {"base64": PNG, **TEMPLATE}, Describe(image=PNG)),
    ("/describe", {"link": LINK, "language": "zh"}, Describe(image=LINK)),
    ("/shorten", {"prompt": "a most dramatic cat"}, Shorten(prompt="a most dramatic cat")),
    ("/edits", {"prompt": "at night", "image": LINK}, Edit(prompt="at night", images=(LINK,))),
    ("/retexture", {"prompt": "of glass", "image": PNG}, Edit(prompt="of glass", images=(PNG,), retexture=True)),
    (
        "/video",
        {"prompt": "x", "image": LINK, "videoType": "vid_1.1_i2v_720", "batchSize": 4, "loop": True},
        Video(prompt="x", image=LINK, resolution=720, batch=4, loop=True),
    ),
    (
        "/simple-change",
        {"content": "1320098173412546 U2", "state": "test:22"},
        Upscale(task_id="1320098173412546", index=2, state="test:22"),
    ),
    ("/simple-change", {"content": "1320098173412546 r"}, Reroll(task_id="1320098173412546")),
]

PAGES: Final = {
    "apimart": ("/v1/midjourney/generations", APIMART),
    "cometapi": ("/mj/submit", COMETAPI),
    "octopusx": ("/mj/submit", OCTOPUSX),
    "mjproxy": ("/mj/submit", MJPROXY),
}


class Overheard(Simulator):
    """A backend that writes down what it is asked, and refuses it."""

    def __init__(self) -> None:
        super().__init__(lambda milliseconds, serial: f"{milliseconds}{serial}", "https://emulated.example")
        self.commands: list[Command] = []

    def submit(self, command: Command) -> Any:
        self.commands.append(command)
        raise Unavailable("only listening")


@pytest.mark.parametrize(
    ("provider", "path", "body", "command"),
    [(name, start + path, body, command) for name, (start, cases) in PAGES.items() for path, body, command in cases],
)
def test_a_request_of_the_page_is_read_as_it_is_meant(
    provider: str, path: str, body: dict[str, Any], command: Command
) -> None:
    backend = Overheard()
    plugins.load(provider)().server(backend, "https://emulated.example").handle(HttpRequest("POST", path, json=body))
    assert [msgspec.to_builtins(each) for each in backend.commands] == [msgspec.to_builtins(command)]
