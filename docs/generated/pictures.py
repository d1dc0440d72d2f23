"""Pictures of the code, as SVG: they need no network and no script, and follow the colour of the text."""

import html
from collections.abc import Iterator
from typing import Final

from excerpts import floors

_WIDTH, _HEIGHT, _GAP = 104, 30, 12
_IN_A_ROW: Final = 7
_TITLE: Final = 24


def house(_: str) -> str:
    """The core, floor by floor: what stands higher imports what stands lower, never the other way."""
    width = _IN_A_ROW * (_WIDTH + _GAP) + _GAP
    drawn: list[str] = []
    y = 1.0
    for title, parts in reversed(floors().items()):
        rows = list(_rows(parts, _IN_A_ROW))
        height = _TITLE + len(rows) * (_HEIGHT + _GAP)
        drawn.append(_floor(y, width, height, title))
        drawn += [
            _box(_GAP + place * (_WIDTH + _GAP), y + _TITLE + level * (_HEIGHT + _GAP), part)
            for level, row in enumerate(rows)
            for place, part in enumerate(row)
        ]
        y += height + _GAP / 2
    return _svg(width, y, "The house of mjbridge: each part imports only from its own floor and those below", drawn)


def _floor(y: float, width: float, height: float, title: str) -> str:
    area = f'<rect x="1" y="{y:g}" width="{width - 2:g}" height="{height:g}" rx="6"'
    return (
        f'{area} fill="currentColor" fill-opacity="0.06"/>'
        f'<text x="{_GAP}" y="{y + 16:g}" font-size="13" font-style="italic" fill="currentColor">'
        f"{html.escape(title)}</text>"
    )


def _rows(parts: list[str], size: int) -> Iterator[list[str]]:
    """The parts in rows."""
    return (parts[first : first + size] for first in range(0, len(parts), size))


_STATIONS: Final = ("application", "Bridge", "Account", "Provider", "Transport", "vendor")
_WAY: Final = (
    ("application", "Bridge", 'imagine("a lighthouse")'),
    ("Bridge", "Account", "submit(Imagine)"),
    ("Account", "Provider", "submit(command): a flow"),
    ("Provider", "Account", "yields HttpRequest"),
    ("Account", "Transport", "with the key in it"),
    ("Transport", "vendor", "POST, once"),
    ("vendor", "Transport", "the reply"),
    ("Transport", "Account", "HttpResponse"),
    ("Account", "Provider", "an error? if not, go on"),
    ("Provider", "Account", "returns Task"),
    ("Account", "Bridge", "Task, or an error"),
    ("Bridge", "application", "Task"),
)
_COLUMN: Final = 132
_ROW: Final = 34
_HEAD: Final = 60


def way(_: str) -> str:
    """One call's way: who asks whom for what, from top to bottom."""
    middle = {name: _COLUMN / 2 + place * _COLUMN for place, name in enumerate(_STATIONS)}
    bottom = _HEAD + len(_WAY) * _ROW
    stations = [_box(x - _WIDTH / 2, 1, name) for name, x in middle.items()]
    lines = [
        f'<path d="M{x:g} {_HEIGHT}V{bottom}" stroke="currentColor" stroke-dasharray="2 4"/>' for x in middle.values()
    ]
    steps = [
        _arrow(middle[start], middle[end], _HEAD + level * _ROW, said) for level, (start, end, said) in enumerate(_WAY)
    ]
    return _svg(len(_STATIONS) * _COLUMN, bottom, "The way of one call through mjbridge", [*stations, *lines, *steps])


def _arrow(start: float, end: float, y: float, said: str) -> str:
    back = 6 if end > start else -6
    return (
        f'<path d="M{start:g} {y}H{end:g}m{-back} -4l{back} 4l{-back} 4" fill="none" stroke="currentColor"/>'
        + _text((start + end) / 2, y - 5, said, size=12)
    )


def _box(x: float, y: float, said: str) -> str:
    rectangle = f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT - 2}" rx="4"'
    return f'{rectangle} fill="var(--md-default-bg-color, none)" stroke="currentColor"/>' + _text(
        x + _WIDTH / 2, y + 19, said, size=13
    )


def _text(x: float, y: float, said: str, *, size: int) -> str:
    look = f'font-size="{size}" text-anchor="middle" fill="currentColor"'
    return f'<text x="{x:g}" y="{y:g}" {look}>{html.escape(said)}</text>'


def _svg(width: float, height: float, label: str, parts: list[str]) -> str:
    size = f'viewBox="0 0 {width:g} {height:g}" width="100%"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{html.escape(label)}">'
    return f"{head}<title>{html.escape(label)}</title>{''.join(parts)}</svg>"
