"""Pictures as callers give them, and masks as vendors mean them."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import mjbridge
from mjbridge import Confirm, Describe, Imagine, InvalidCommand
from mjbridge.account import Account
from mjbridge.emulator import pictures
from mjbridge.pictures import inputs, masks
from mjbridge.pictures.inputs import Takes
from mjbridge.testing import FakeTransport
from mjbridge.wire import HttpResponse
from mjbridge_apimart import APIMart
from mjbridge_cometapi import CometAPI
from mjbridge_mjproxy import MJProxy

PICTURE = pictures.single("a cat", 1)
URI = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
ACCEPTED = HttpResponse(200, b'{"code":1,"result":"1"}')


def png(*pixels: tuple[int, ...], mode: str = "RGBA") -> bytes:
    picture = Image.new(mode, (len(pixels), 1))
    for place, pixel in enumerate(pixels):
        picture.putpixel((place, 0), pixel)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def pixels(uri: str, mode: str) -> list[object]:
    picture = Image.open(io.BytesIO(inputs.content(uri, "mask"))).convert(mode)
    return [picture.getpixel((place, 0)) for place in range(picture.width)]


def test_a_path_bytes_and_a_data_uri_are_the_same_picture(tmp_path: Path) -> None:
    (tmp_path / "cat.txt").write_bytes(PICTURE)
    mislabelled = URI.replace("image/png", "image/jpeg")
    for given in (tmp_path / "cat.txt", PICTURE, URI, mislabelled):
        assert Describe(image=given).image == URI
    assert Describe(image="https://example.com/cat").image == "https://example.com/cat"


def test_a_picture_alone_is_a_tuple_of_one() -> None:
    alone: Any = PICTURE
    assert Imagine(prompt="a cat", images=alone).images == (URI,)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("cat.png", "write Path('cat.png')"),
        ("/etc/passwd", "write Path('/etc/passwd')"),
        ("file:///etc/passwd", "neither an http(s) URL nor a data URI"),
        ("https://example.com/a cat.png --seed 1", "neither an http(s) URL nor a data URI"),
        (b"<html>", "is no PNG, JPEG, WebP or GIF picture"),
        ("data:image/png;base64,%%%", "not one in base64"),
        ("data:image/png,abc", "not one in base64"),
        ("data:image/png;base64,é", "not one in base64"),
        ("data:image/png;base64,aGVsbG8=", "is no PNG, JPEG, WebP or GIF picture"),
        (7, "image is int"),
        (Path("missing.png"), "missing.png cannot be read: No such file or directory"),
        (Path(), "cannot be read: Is a directory"),
        (Path("a\0b"), "cannot be read"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_field(given: Any, words: str) -> None:
    with pytest.raises(InvalidCommand) as caught:
        Describe(image=given)
    assert "image" in caught.value.message
    assert words in caught.value.message


def test_no_path_is_read_but_one_that_was_given_as_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Text that happens to be the name of a file stays text, and is refused."""
    (tmp_path / "cat.png").write_bytes(PICTURE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidCommand, match="write Path"):
        Describe(image="cat.png")


def test_a_file_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "PICTURE_LIMIT", 1000)
    with pytest.raises(InvalidCommand, match="more than 1000 bytes"):
        Describe(image=Path("/dev/zero"))


def test_a_vendor_s_limits_of_type_and_size_are_kept_before_anything_is_sent() -> None:
    gif = b"GIF89a" + bytes(100)
    transport = FakeTransport()
    account = Account("main", APIMart(), transport, "", 1.0)
    for picture, words in (
        (gif, "gif; the vendor takes png, jpeg, webp"),
        (PICTURE + bytes(13 * 2**20), "takes 12582912"),
    ):
        with pytest.raises(InvalidCommand, match=words):
            account.submit(Describe(image=picture))
    assert transport.requests == []
    inputs.check(URI, Takes(), "image")


def test_an_address_is_read_without_the_key_where_the_vendor_wants_content() -> None:
    url = "https://example.com/cat.png"
    transport = FakeTransport([ACCEPTED], {url: PICTURE})
    Account("main", MJProxy(), transport, "sk-secret", 1.0).submit(Describe(image=url))
    (request,) = transport.requests
    assert request.json == {"base64": URI}


def test_an_address_that_cannot_be_read_is_the_caller_s_to_mend() -> None:
    """No account is to blame, so no other is asked; nothing was submitted, so nothing is in doubt."""
    bridge = mjbridge.Bridge({"accounts": {"main": {"provider": "octopusx", "base_url": "emulator:"}}})
    with pytest.raises(InvalidCommand, match=r"the picture at elsewhere\.example cannot be read"):
        bridge.describe("https://elsewhere.example/cat.png")
    transport = FakeTransport([], {"https://example.com/": b"<html>"})
    account = Account("main", MJProxy(), transport, "", 1.0)
    with pytest.raises(InvalidCommand, match="is no PNG"):
        account.submit(Describe(image="https://example.com/"))
    assert transport.requests == []


def test_what_cannot_be_said_is_refused_before_a_picture_is_read_or_uploaded() -> None:
    command = mjbridge.Video(image="https://example.com/", end_image=PICTURE, speed="fast")
    for provider in (CometAPI(), APIMart(), MJProxy({"speed": "none"})):
        transport = FakeTransport()
        with pytest.raises(mjbridge.Unsupported):
            Account("main", provider, transport, "", 1.0).submit(command)
        assert transport.requests == []


def test_white_is_repainted_whatever_the_vendor_means() -> None:
    """A grey in between stays in between; what is transparent in ours is kept."""
    ours = inputs.data_uri(png((255, 255, 255, 255), (0, 0, 0, 255), (255, 255, 255, 0), (128, 128, 128, 255)), "mask")
    transparent, white = masks.to_vendor(ours, "transparent"), masks.to_vendor(ours, "white")
    assert pixels(transparent, "RGBA") == [(255, 255, 255, alpha) for alpha in (0, 255, 255, 127)]
    assert pixels(white, "RGBA") == [(255, 255, 255, alpha) for alpha in (255, 0, 0, 128)]
    assert pixels(masks.from_vendor(transparent, "transparent"), "L") == [255, 0, 0, 128]
    assert pixels(masks.from_vendor(white, "white"), "L") == [255, 0, 0, 128]


@pytest.mark.parametrize(("repaints", "alpha"), [("transparent", 0), ("white", 255)])
def test_apimart_s_mask_is_converted_and_sent(repaints: str, alpha: int) -> None:
    """https://docs.apimart.ai/en/api-reference/images/midjourney/modal: the newer page, and by option the older."""
    accepted = HttpResponse(200, b'{"code":200,"data":[{"status":"submitted","task_id":"task_1"}]}')
    transport = FakeTransport([accepted], {"https://example.com/mask.png": png((255, 255, 255), mode="RGB")})
    account = Account("main", APIMart({"pictures": "inline", "repaints": repaints}), transport, "", 1.0)
    account.submit(Confirm(task_id="task_1", mask="https://example.com/mask.png"))
    assert pixels(transport.requests[0].json["mask_url"], "RGBA") == [(255, 255, 255, alpha)]


def test_a_mask_that_only_looks_like_a_picture_is_refused() -> None:
    with pytest.raises(InvalidCommand, match="mask: the picture cannot be read"):
        masks.to_vendor(inputs.data_uri(b"\x89PNG\r\n\x1a\n" + bytes(10), "mask"), "white")
