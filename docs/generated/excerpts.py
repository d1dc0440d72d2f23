"""The project's own code: excerpts of it, and who imports whom."""

import ast
import inspect
import re
from collections.abc import Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import mjbridge
from tables import table

ROOT: Final = Path(__file__).parents[2]
CORE: Final = Path(mjbridge.__file__).parent


def source(place: str) -> str:
    """A file (`tests/x.py`), or one of its classes, functions or tables (`tests/x.py Name.method`)."""
    path, _, name = place.partition(" ")
    text = (ROOT / path).read_text(encoding="utf-8")
    code = _excerpt(text, name.split(".")) if name else text.strip()
    language = Path(path).suffix.removeprefix(".").replace("py", "python")
    return f'```{language} title="{path}"\n{code}\n```'


def _excerpt(text: str, names: Sequence[str]) -> str:
    node: ast.AST = ast.parse(text)
    for name in names:
        found = [each for each in ast.iter_child_nodes(node) if name in _defined(each)]
        if not found:
            raise LookupError(f"there is no {name} to show")
        node = found[0]
    lines = text.splitlines()
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", None)
    return inspect.cleandoc("\n" + "\n".join(lines[first - 1 : last]))


def _defined(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [each.id for each in targets if isinstance(each, ast.Name)]


def gates(_: str) -> str:
    """The gates of `.ci/run`, in its order."""
    found = _GATE.finditer((ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    rows = ((each["what"], f"`{each['command']}`", "where `CI` is set" if each["slow"] else "always") for each in found)
    return table(("what it proves", "command", "when"), rows)


_GATE: Final = re.compile(r'^(?P<slow>slow )?gate "(?P<what>.+?)" (?P<command>.+)$', re.MULTILINE)


@cache
def imports() -> dict[str, set[str]]:
    """What each part of the core imports of the core when it is loaded; a folder is one part."""
    graph: dict[str, set[str]] = {}
    for path in sorted(CORE.rglob("*.py")):
        part = _part(path.relative_to(CORE))
        if part not in ("__init__", "__main__") and "acme" not in path.parts:
            graph.setdefault(part, set()).update(_imported(path) - {part})
    return {part: used & graph.keys() for part, used in graph.items()}


def _part(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module == "mjbridge":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mjbridge."):
            found.add((node.module or "").split(".")[1])
    return found


def layers() -> list[list[str]]:
    """The parts of the core from the lowest up: each imports only what lies below. `CycleError` if that is not so."""
    depth: dict[str, int] = {}
    for part in TopologicalSorter(imports()).static_order():
        depth[part] = 1 + max((depth[used] for used in imports()[part]), default=-1)
    return [sorted(part for part in depth if depth[part] == level) for level in range(max(depth.values()) + 1)]


FLOORS: Final[Mapping[str, str]] = {
    "data: what is asked, answered and told": "task commands errors events wire fields pictures doubts timing printing",
    "configuration and transport": "config settings keys transport limits retries",
    "providers and the emulator": "provider refusals serving bodies uploads vetting plugins emulator kit",
    "stored records": "records bulk arrow",
    "live accounts and routes": "account conversation routing waiting downloads journal vocabulary requirements",
    "what applications use": "bridge callbacks testing",
    "the command line": "cli check",
}
"""The house from the ground up. A part that is not named here stands as low as what it imports lets it."""


def floors() -> dict[str, list[str]]:
    """Each floor's parts. `LookupError` for one that imports a part of a higher floor."""
    titles = list(FLOORS)
    named = {part: titles.index(title) for title, parts in FLOORS.items() for part in parts.split()}
    stands: dict[str, int] = {}
    for part in (part for row in layers() for part in row):
        lowest = max((stands[used] for used in imports()[part]), default=0)
        stands[part] = named.get(part, lowest)
        if stands[part] < lowest:
            raise LookupError(f"{part} imports a part of the floor {titles[lowest]!r}, which is above its own")
    order = [*named, *(part for part in stands if part not in named)]
    return {title: [part for part in order if stands.get(part) == level] for level, title in enumerate(titles)}


def modules(_: str) -> str:
    """What each part of the core is, in its own words, from the top of the house down."""
    told = reversed(floors().items())
    return "\n\n".join(f"**{title.capitalize()}**\n\n{_parts(parts)}" for title, parts in told)


def _parts(parts: Sequence[str]) -> str:
    return table(("part", "what it is"), ((f"`{part}`", _first_line(part)) for part in parts))


def _first_line(part: str) -> str:
    place = CORE / part
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()[0]
