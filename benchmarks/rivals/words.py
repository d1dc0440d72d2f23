"""What the rivals in Python have to know of the dialect."""

from typing import Final

STATUSES: Final = {
    "": "pending",
    "NOT_START": "pending",
    "SUBMITTED": "pending",
    "IN_PROGRESS": "processing",
    "MODAL": "needs_input",
    "SUCCESS": "completed",
    "FAILURE": "failed",
    "CANCEL": "cancelled",
}
ACTIONS: Final = {"edits": "edit", "bleand": "blend", "reset": "reroll"}
BOTS: Final = {"mid_journey": "midjourney", "niji_journey": "niji", "mj": "midjourney"}
SPEEDS: Final = {"relaxed": "relax"}

RAND: Final = r"[?&]rand=\d+$"
"""What new-api appends to a preview's address."""

CLIP: Final = r"(?i)^[^?]*\.(mp4|webm|mov)(\?|$)"
"""The address of a clip, which trueai puts where pictures stand."""

SHORTENED: Final = "## Shortened prompts"
KEYCAP: Final = "[1-9]\ufe0f?\u20e3"
"""Before each suggestion of describe and shorten."""
