"""The buttons under a simulated picture."""

import hashlib
import re
import uuid
from collections.abc import Iterator
from typing import Final

from mjbridge.emulator.jobs import Job
from mjbridge.task import Button

Row = tuple[str, str, str]
"""Custom id, label and emoji."""

_GRID: Final[tuple[Row, ...]] = (
    *((f"MJ::JOB::upsample::{number}::{{hash}}", f"U{number}", "") for number in range(1, 5)),
    ("MJ::JOB::reroll::0::{hash}::SOLO", "", "🔄"),
    *((f"MJ::JOB::variation::{number}::{{hash}}", f"V{number}", "") for number in range(1, 5)),
)
_ENLARGE: Final[tuple[Row, ...]] = (
    ("MJ::JOB::upsample_v7_2x_subtle::1::{hash}::SOLO", "Upscale (Subtle)", "upscale_1"),
    ("MJ::JOB::upsample_v7_2x_creative::1::{hash}::SOLO", "Upscale (Creative)", "upscale_1"),
)
_ENLARGE_VERSION_5: Final[tuple[Row, ...]] = (
    ("MJ::JOB::upsample_v5_2x::1::{hash}::SOLO", "Upscale (2x)", "upscale_1"),
    ("MJ::JOB::upsample_v5_4x::1::{hash}::SOLO", "Upscale (4x)", "upscale_1"),
)
_SINGLE: Final[tuple[Row, ...]] = (
    ("MJ::JOB::low_variation::1::{hash}::SOLO", "Vary (Subtle)", "🪄"),
    ("MJ::JOB::high_variation::1::{hash}::SOLO", "Vary (Strong)", "🪄"),
    ("MJ::Inpaint::1::{hash}::SOLO", "Vary (Region)", "🖌️"),
    ("MJ::Outpaint::50::1::{hash}::SOLO", "Zoom Out 2x", "🔍"),
    ("MJ::Outpaint::75::1::{hash}::SOLO", "Zoom Out 1.5x", "🔍"),
    ("MJ::CustomZoom::{hash}", "Custom Zoom", "🔍"),
    ("MJ::JOB::pan_left::1::{hash}::SOLO", "", "⬅️"),
    ("MJ::JOB::pan_right::1::{hash}::SOLO", "", "➡️"),
    ("MJ::JOB::pan_up::1::{hash}::SOLO", "", "⬆️"),
    ("MJ::JOB::pan_down::1::{hash}::SOLO", "", "⬇️"),
    ("MJ::JOB::animate_high::1::{hash}::SOLO", "Animate (High motion)", "🎞️"),
    ("MJ::JOB::animate_low::1::{hash}::SOLO", "Animate (Low motion)", "🎞️"),
)
_VERSION_5: Final = re.compile(r"--v(?:ersion)? 5")
_TYPE: Final = 2
_STYLE: Final = 2


def under(job: Job) -> Iterator[Button]:
    """The follow-ups that a finished job offers: what is drawn can be drawn on, text and film cannot."""
    if not job.drawn:
        return
    # Midjourney's own hashes are UUIDs.
    job_hash = str(uuid.UUID(bytes=hashlib.sha256(job.id.encode()).digest()[:16]))
    enlarge = _ENLARGE_VERSION_5 if _VERSION_5.search(job.prompt or "") else _ENLARGE
    for custom_id, label, emoji in (*enlarge, *_SINGLE) if job.tile else _GRID:
        yield Button(custom_id.format(hash=job_hash), label, emoji, _TYPE, _STYLE)
