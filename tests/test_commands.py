"""The vocabulary: what is refused when it is built, and how Midjourney's parameters are written."""

import inspect
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjbridge import (
    Animate,
    Blend,
    Bridge,
    Cancel,
    Confirm,
    Describe,
    Edit,
    Extend,
    Imagine,
    InvalidCommand,
    Pan,
    Press,
    Remix,
    SwapFace,
    Upload,
    Upscale,
    Vary,
    Video,
    Zoom,
)
from mjbridge.commands import COMMANDS, PARAMETERS, AnyCommand, Command
from mjbridge.emulator import pictures

URL = "https://example.com/cat.png"
_PNG = pictures.single("a cat", 1)
_MP4 = pictures.clip("a cat", 1)


def _slip(name: str, value: Any) -> dict[str, Any]:
    """What a type checker would have told."""
    return {name: value}


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Imagine(prompt="a cat", stylize=1001), "stylize is 1001; it must be a whole number from 0 to 1000"),
        (lambda: Imagine(prompt="a cat", chaos=-1), "chaos is -1"),
        (lambda: Imagine(prompt="a cat", weird=True), "weird is True"),
        (lambda: Imagine(prompt="a cat", seed=2**32), "seed is 4294967296"),
        (lambda: Imagine(prompt="a cat", aspect="wide"), "aspect is 'wide'; it must be like '16:9'"),
        (lambda: Imagine(prompt="a cat", aspect="16:0"), "aspect is '16:0'"),
        (lambda: Imagine(prompt="a cat", version="seven"), "version is 'seven'"),
        (lambda: Imagine(prompt="a cat", version="7", niji="6"), "there is one version"),
        (lambda: Imagine(prompt="a cat", bot="midjourney", niji="6"), "bot is midjourney and niji is 6"),
        (lambda: Imagine(prompt="a cat", quality=3), "quality is 3"),
        (lambda: Imagine(prompt="a cat", image_weight=float("nan")), "image_weight is nan"),
        (lambda: Imagine(prompt="a cat", style="raw --seed 1"), "style is 'raw --seed 1'"),
        (lambda: Imagine(prompt="a cat", negative="dogs --seed 1"), "negative is 'dogs --seed 1'"),
        (lambda: Imagine(prompt="a cat", **_slip("tile", "yes")), "tile is 'yes'; it must be True or False"),
        (lambda: Imagine(prompt="a cat", repeat=1), "repeat is 1; it must be a whole number from 2 to 40"),
        (lambda: Blend(images=(URL,)), "images has 1; a blend has 2 to 5"),
        (lambda: Blend(images=(URL,) * 6), "images has 6"),
        (lambda: Blend(images=(URL, URL), dimensions="wide"), "dimensions is 'wide'"),
        (lambda: Blend(images=(URL, URL), aspect="wide"), "aspect is 'wide'; it must be like '16:9'"),
        (lambda: Blend(images=(URL, URL), dimensions="square", aspect="1:1"), "exclude each other"),
        (lambda: Edit(prompt="at night", images=()), "images is empty"),
        (lambda: Edit(prompt="of glass", images=(URL,), **_slip("retexture", 1)), "it must be True or False"),
        (lambda: Edit(prompt="of glass", images=(URL,), retexture=True, mask=URL), "exclude each other"),
        (lambda: Video(image=URL, motion="fast"), "motion is 'fast'; it must be one of low, high"),
        (lambda: Video(image=URL, batch=3), "batch is 3; it must be one of 1, 2, 4"),
        (lambda: Video(image=URL, end_image=URL, loop=True), "exclude each other"),
        (lambda: Video(**_slip("image", None)), "image has 0; it must be one picture"),
        (lambda: Describe(**_slip("image", None)), "image has 0; it must be one picture"),
        (lambda: Describe(**_slip("image", (URL, URL))), "image has 2; it must be one picture"),
        (lambda: SwapFace(**_slip("source", None), target=URL), "source has 0; it must be one picture"),
        (lambda: Zoom(task_id="1", **_slip("ratio", [2])), "ratio is [2]; it must be 1.5 or 2"),
        (lambda: SwapFace(source=URL), "one of the two"),
        (lambda: SwapFace(source=URL, target=URL, video=URL), "one of the two"),
        (lambda: SwapFace(source=URL, video=_PNG), "video is no MP4, MOV or WebM video"),
        (lambda: SwapFace(source=_MP4, video=_MP4), "source is no PNG, JPEG, WebP or GIF picture"),
        (lambda: Upscale(task_id="1"), "one of the two"),
        (lambda: Upscale(task_id="1", index=1, kind="subtle"), "one of the two"),
        (lambda: Upscale(task_id="1", index=5), "numbered 1 to 4"),
        (
            lambda: Upscale(task_id="1", **_slip("index", "2")),
            "index is '2', which is text and not a number; a grid's pic",
        ),
        (lambda: Vary(task_id="1", **_slip("index", 2.0)), "index is 2.0; a grid's pictures are numbered 1 to 4"),
        (lambda: Upscale(task_id="1", kind="8x"), "kind is '8x'"),
        (lambda: Vary(task_id="1", strength="weak"), "strength is 'weak'"),
        (lambda: Zoom(task_id="1", ratio=1.8), "confirmed with --zoom 1 to 2"),
        (lambda: Pan(task_id="1", direction="north"), "direction is 'north'"),
        (lambda: Remix(task_id="1", index=0), "numbered 1 to 4"),
        (lambda: Animate(task_id="1", index=5), "numbered 1 to 4"),
        (lambda: Animate(task_id="1", **_slip("auto", 1)), "auto is 1; it must be True or False"),
        (lambda: Animate(task_id="1", auto=True, prompt="waves"), "exclude each other"),
        (lambda: Extend(task_id="..", index=1), "no task's id"),
        (lambda: Confirm(task_id="1", prompt=" "), "prompt is empty"),
    ],
)
def test_a_wrong_value_is_refused_naming_field_value_and_limit(build: Any, words: str) -> None:
    with pytest.raises(InvalidCommand) as caught:
        build()
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("prompt", "field"),
    [
        ("a cat --ar 1:1", {"aspect": "16:9"}),
        ("a cat --aspect 1:1", {"aspect": "16:9"}),
        ("a cat —ar 1:1", {"aspect": "16:9"}),
        ("--AR 1:1 a cat", {"aspect": "16:9"}),
        ("a cat --niji 6", {"version": "7"}),
        ("a cat --v 7", {"niji": "6"}),
        ("a cat --no dogs", {"negative": "mice"}),
        ("a cat --fast", {"speed": "relax"}),
    ],
)
def test_a_parameter_is_given_once(prompt: str, field: dict[str, Any]) -> None:
    """As a field or as a flag of the prompt; what only looks like a flag is none."""
    with pytest.raises(InvalidCommand, match="give it once"):
        Imagine(prompt=prompt, **field)
    Imagine(prompt=prompt.replace("--", "-").replace("—", "-"), **field)


def test_a_prompt_s_own_flags_pass_as_they_are() -> None:
    prompt = "a cat --ar 1:1 --hypothetical 3 --no dogs"
    assert Imagine(prompt=prompt, seed=0).flagged_prompt() == f"{prompt} --seed 0"


def test_every_parameter_has_a_flag_of_its_own() -> None:
    flags = [parameter.flag for parameter in PARAMETERS.values()]
    assert len(set(flags)) == len(flags)
    given = Imagine(
        prompt="a cat", tile=True, quality=0.5, image_weight=1.0, style_reference=("random",), omni_weight=5
    )
    assert given.flags() == "--q 0.5 --tile --iw 1 --sref random --ow 5"


@given(st.sets(st.sampled_from(sorted(PARAMETERS))))
def test_parameters_are_written_each_once_and_none_that_was_not_given(names: set[str]) -> None:
    values: dict[str, Any] = {
        "aspect": "16:9", "version": "7", "niji": "6", "stylize": 0, "chaos": 0, "weird": 0, "seed": 0, "quality": 1,
        "style": "raw", "tile": True, "raw": True, "draft": True, "hd": True, "repeat": 2, "stop": 50, "profile": "abc",
        "image_weight": 0.5, "character_reference": (URL,), "character_weight": 0, "style_reference": ("7",),
        "style_weight": 0, "style_version": 6, "omni_reference": URL, "omni_weight": 1, "negative": "dogs",
    }  # fmt: skip
    assert set(values) == set(PARAMETERS)
    chosen = names - {"version"} if "niji" in names else names
    written = Imagine(prompt="a cat", **{name: values[name] for name in chosen}).flags().split()
    flags = [word.removeprefix("--") for word in written if word.startswith("--")]
    assert sorted(flags) == sorted(PARAMETERS[name].flag for name in chosen)


def test_commands_are_data_told_apart_by_their_name() -> None:
    tags = [kind.__struct_config__.tag for kind in COMMANDS]
    assert len(set(tags)) == len(COMMANDS)
    command = Blend(images=(URL, URL), dimensions="square", state="mine")
    document = msgspec.json.encode(command)
    assert msgspec.json.decode(document)["command"] == "blend"
    assert msgspec.json.decode(document, type=AnyCommand) == command


def test_a_picture_s_content_is_in_no_repr() -> None:
    """Logs and errors show commands."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100_000)
    assert len(repr(Blend(images=(picture, picture)))) < 500


def test_every_command_tells_the_action_of_its_task() -> None:
    assert Upscale(task_id="1", kind="subtle").promised()["action"] == "upscale"
    assert Vary(task_id="1", strength="strong").promised()["action"] == "high_variation"
    assert Zoom(task_id="1", ratio=None).promised()["action"] == "custom_zoom"
    assert Remix(task_id="1", index=1, strength="subtle").promised()["action"] == "remix_subtle"
    assert Confirm(task_id="1").promised()["parent_id"] is None
    assert SwapFace(source=URL, video=_MP4).promised()["action"] == "swap_video_face"
    assert Edit(prompt="at night", images=(URL,)).promised()["action"] == "edit"
    assert Edit(prompt="of glass", images=(URL,), retexture=True).promised()["action"] == "retexture"


@pytest.mark.parametrize("kind", [kind for kind in COMMANDS if kind not in (Press, Upload, Cancel)])
def test_a_method_takes_all_fields_of_its_command(kind: type[Command]) -> None:
    """By name, or among the keywords that a type checker knows, with the command's own types."""
    parameters = inspect.signature(getattr(Bridge, str(kind.__struct_config__.tag))).parameters
    (keywords,) = [get_args(each.annotation)[0] for each in parameters.values() if each.kind is each.VAR_KEYWORD]
    hints = {name: hint for name, hint in get_type_hints(kind).items() if get_origin(hint) is not ClassVar}
    assert get_type_hints(keywords) == {
        name: hint for name, hint in hints.items() if name not in parameters and name != "task_id"
    }


def test_the_root_alone_is_no_command() -> None:
    assert Command not in COMMANDS
