"""A grid is cut into its four singles, where the vendor gives none."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageChops

import mjbridge
from mjbridge import pictures
from mjbridge.emulator import pictures as emulated
from tests.exchanges import OpenBridge, StartServer
from tests.files import PNG, done, names, serving


def _image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def _same(one: bytes, other: bytes) -> bool:
    return ImageChops.difference(_image(one), _image(other)).getbbox() is None


def test_a_grid_is_cut_into_its_four_singles() -> None:
    tiles = pictures.cut(emulated.grid("pig"))
    assert [_same(tile, emulated.single("pig", number)) for number, tile in enumerate(tiles, 1)] == [True] * 4


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_grid_of_any_format_and_an_odd_size_is_cut_in_equal_parts(form: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (1025, 769), "teal").save(file, form)
    assert [_image(tile).size for tile in pictures.cut(file.getvalue())] == [(512, 384)] * 4


def test_what_cannot_be_cut_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = io.BytesIO()
    Image.new("1", (9000, 9000)).save(bomb, "PNG")
    dot = io.BytesIO()
    Image.new("RGB", (1, 1)).save(dot, "PNG")
    for content in (b"", b"<html>", PNG, emulated.grid("pig")[:2000], bomb.getvalue(), dot.getvalue()):
        with pytest.raises(mjbridge.MalformedReply):
            pictures.cut(content)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(mjbridge.ConfigError, match=re.escape("mjbridge[pictures]")):
        pictures.cut(PNG)


def test_singles_are_cut_where_the_vendor_gives_only_the_grid(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    server = scripted(serving({"/g": emulated.grid("pig")}))
    task = done(f"{server.url}/g", action="imagine")
    assert len(bridge().download(task, tmp_path)) == 1
    paths = bridge().download(task, tmp_path, singles=True)
    assert [path.name for path in paths] == ["1.png", "1_1.png", "1_2.png", "1_3.png", "1_4.png"]
    assert _same(paths[3].read_bytes(), emulated.single("pig", 3))
    assert len(server.requests) == 1
    assert names(tmp_path) == [path.name for path in paths]


def test_a_single_whose_link_is_dead_is_cut_where_it_is_known_which(
    scripted: StartServer, bridge: OpenBridge, tmp_path: Path
) -> None:
    """Of fewer than four links moderation has dropped some: the second need not be the second of the grid."""
    url = scripted(serving({"/g": emulated.grid("pig"), "/1": PNG, "/4": PNG})).url
    links_of_four = tuple(f"{url}/{number}" for number in range(1, 5))
    paths = bridge().download(done(f"{url}/g", image_urls=links_of_four, action="blend"), tmp_path, singles=True)
    assert [path.name for path in paths] == ["1.png", "1_1.png", "1_2.png", "1_3.png", "1_4.png"]
    assert paths[1].read_bytes() == PNG
    assert _same(paths[2].read_bytes(), emulated.single("pig", 2))
    with pytest.raises(mjbridge.Unavailable):
        bridge().download(
            done(f"{url}/g", id="2", image_urls=links_of_four[:2], action="blend"), tmp_path, singles=True
        )


def test_a_single_picture_is_not_cut(scripted: StartServer, bridge: OpenBridge, tmp_path: Path) -> None:
    url = scripted(serving({"/g": emulated.grid("pig")})).url
    zoom = mjbridge.Button("MJ::JOB::upsample_v7_2x_subtle::1::hash::SOLO", "Upscale (Subtle)")
    for number, task in enumerate([done(f"{url}/g", action="upscale"), done(f"{url}/g", buttons=(zoom,))]):
        assert len(bridge().download(task, tmp_path / str(number), singles=True)) == 1
