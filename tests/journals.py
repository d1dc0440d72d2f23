"""Bridges with a journal, and what stands in it."""

from collections.abc import Iterator
from pathlib import Path

from mjbridge import Bridge
from mjbridge.journal import Entry

KEY = "sk-journaled-0123456789"


def over_http(url: str, place: Path) -> Bridge:
    """One account, `main`."""
    return Bridge(
        {"accounts": {"main": {"provider": "mjproxy", "base_url": url, "api_key": KEY}}, "journal": str(place)}
    )


def lines(entries: Iterator[Entry]) -> list[tuple[str, str, str, str]]:
    """Of each entry: account, outcome, what became of it, and the task."""
    return [(entry.account, entry.outcome, entry.category or entry.status, entry.task_id) for entry in entries]
