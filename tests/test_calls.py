"""Calls as people write them: what is meant is done, and what cannot be meant is told in one line."""

from pathlib import Path
from typing import Any

import pytest

import mjbridge
from mjbridge import Edit, HttpResponse
from tests.rehearsals import scripted


@pytest.mark.parametrize("timeout", [None, "5"])
def test_a_time_out_that_is_no_number_is_refused(timeout: Any) -> None:
    bridge, transport, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match=f"a wait of {timeout!r} seconds is none"):
        bridge.imagine("pig", timeout=timeout)
    assert transport.requests == []


def test_a_picture_alone_is_edited_however_it_is_given(tmp_path: Path) -> None:
    """As the command `Edit` takes it: neither a path, nor bytes, nor an address is taken apart."""
    picture = b"\x89PNG\r\n\x1a\n"
    path = tmp_path / "a.png"
    path.write_bytes(picture)
    for given in (path, picture, "https://x.example/a.png"):
        bridge, transport, _ = scripted([HttpResponse(200, b'{"code":1,"result":"1"}')])
        bridge.edit("a hat", given)
        (command,) = Edit(prompt="a hat", images=(given,)).images
        assert transport.requests[0].json["image"] == command


def test_one_picture_is_no_blend() -> None:
    bridge, _, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match="images has 1; a blend has 2 to 5"):
        bridge.blend("https://x.example/a.png")
