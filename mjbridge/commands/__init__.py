"""What a caller can ask of a vendor: one frozen struct a command, checked when it is built."""

from typing import Final, get_args

from mjbridge.commands.base import Command, check_command
from mjbridge.commands.checks import GRID
from mjbridge.commands.checks import ref as check_ref
from mjbridge.commands.checks import text as check_text
from mjbridge.commands.follow_ups import (
    Animate,
    ByButton,
    Cancel,
    Confirm,
    Direction,
    Enlargement,
    Extend,
    FollowUp,
    Inpaint,
    Pan,
    Press,
    Remix,
    Reroll,
    Strength,
    Upscale,
    Vary,
    Zoom,
)
from mjbridge.commands.new import (
    Blend,
    Describe,
    Dimensions,
    Edit,
    Imagine,
    Motion,
    Shorten,
    SwapFace,
    Upload,
    Video,
)
from mjbridge.commands.parameters import PARAMETERS, Drawing

AnyCommand = (
    Imagine
    | Blend
    | Describe
    | Shorten
    | Edit
    | Video
    | SwapFace
    | Upload
    | Press
    | Upscale
    | Vary
    | Reroll
    | Zoom
    | Pan
    | Inpaint
    | Remix
    | Animate
    | Extend
    | Confirm
    | Cancel
)
"""Any command of the vocabulary, told apart in JSON by its `command`."""

COMMANDS: Final[tuple[type[Command], ...]] = get_args(AnyCommand)
"""The vocabulary."""

__all__ = [
    "COMMANDS",
    "GRID",
    "PARAMETERS",
    "Animate",
    "AnyCommand",
    "Blend",
    "ByButton",
    "Cancel",
    "Command",
    "Confirm",
    "Describe",
    "Dimensions",
    "Direction",
    "Drawing",
    "Edit",
    "Enlargement",
    "Extend",
    "FollowUp",
    "Imagine",
    "Inpaint",
    "Motion",
    "Pan",
    "Press",
    "Remix",
    "Reroll",
    "Shorten",
    "Strength",
    "SwapFace",
    "Upload",
    "Upscale",
    "Vary",
    "Video",
    "Zoom",
    "check_command",
    "check_ref",
    "check_text",
]
