"""A plugin's own mistakes, told: what it raised, and where in it."""

import os
from typing import Final

_OURS: Final = os.path.dirname(__file__) + os.sep  # noqa: PTH120 tracebacks hold plain texts


def told(error: Exception) -> str:
    """What a plugin raised, and the last line outside mjbridge itself that it came from."""
    place, step = "", error.__traceback__
    while step:
        file = step.tb_frame.f_code.co_filename
        place = place if file.startswith(_OURS) else f" at {file}:{step.tb_lineno}"
        step = step.tb_next
    return f"{error!r}{place}"
