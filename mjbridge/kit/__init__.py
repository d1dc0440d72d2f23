"""A new provider package, to start from: `acme/` is a complete plugin, and a copy of it under another name is yours."""

import keyword
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mjbridge import plugins
from mjbridge.errors import InvalidCommand

_TEMPLATE: Final = Path(__file__).parent / "acme"
_NAME: Final = re.compile(r"[a-z][a-z0-9]{1,29}")
_SKIPPED: Final = ("__pycache__", ".pyc")


def create(name: str, into: Path) -> Path:
    """Write the package `mjbridge-NAME` into a folder, all of it or nothing; gives its path.

    `InvalidCommand` for a name that is taken or cannot be a provider's, and for a folder that is there already.
    """
    _check(name)
    target = into / f"mjbridge-{name}"
    if target.exists():
        raise InvalidCommand(f"{target} is there already, and nothing is overwritten: choose another folder or name")
    into.mkdir(parents=True, exist_ok=True)
    rename = _renaming(name)
    with tempfile.TemporaryDirectory(dir=into, prefix=f".{target.name}-") as beside:
        package = Path(beside) / target.name
        for file in sorted(_TEMPLATE.rglob("*")):
            if file.is_file() and not any(part.endswith(_SKIPPED) for part in file.parts):
                copy = package / rename(str(file.relative_to(_TEMPLATE)))
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(rename(file.read_text(encoding="utf-8")), encoding="utf-8")
        package.rename(target)
    return target


def _check(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InvalidCommand(
            f"{name!r} cannot be a provider's name: write 2 to 30 letters a-z and digits, a letter first"
        )
    if name in plugins.names():
        raise InvalidCommand(f"{name!r} is the name of an installed provider: choose another")


def _renaming(name: str) -> Callable[[str], str]:
    words = {"acme": name, "Acme": name.capitalize(), "ACME": name.upper()}
    return lambda text: re.sub("|".join(words), lambda found: words[found[0]], text)
