"""Calls as people write them: what is meant is done, and what cannot be meant is told in one line."""

from typing import Any

import pytest

import mjbridge
from tests.rehearsals import scripted


@pytest.mark.parametrize("timeout", [None, "5"])
def test_a_time_out_that_is_no_number_is_refused(timeout: Any) -> None:
    bridge, transport, _ = scripted([])
    with pytest.raises(mjbridge.InvalidCommand, match=f"a wait of {timeout!r} seconds is none"):
        bridge.imagine("pig", timeout=timeout)
    assert transport.requests == []
