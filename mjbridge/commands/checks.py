"""What makes a command's field wrong: each check raises `InvalidCommand` naming the field, the value and the limit."""

from collections.abc import Iterable, Mapping
from typing import Any

from mjbridge.errors import InvalidCommand
from mjbridge.wire import is_http

GRID = range(1, 5)
"""The pictures of a grid: 1 top left, 2 top right, 3 bottom left, 4 bottom right."""


def mapping(name: str, value: object) -> None:
    """Something with keys."""
    if not isinstance(value, Mapping):
        raise InvalidCommand(f"{name} is {type(value).__name__}, not a mapping")


def text(name: str, value: object) -> str:
    """Text that can be sent."""
    if not isinstance(value, str):
        raise InvalidCommand(f"{name} is {type(value).__name__}, not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidCommand(f"{name} holds half a character, which no vendor can be sent") from None
    return value


def not_empty(name: str, value: object) -> None:
    """Text with something in it."""
    if not text(name, value).strip():
        raise InvalidCommand(f"{name} is empty")


def one_of(name: str, value: object, words: Iterable[Any]) -> None:
    """One of a few values; None is no choice."""
    if value is not None and value not in list(words):
        raise InvalidCommand(f"{name} is {value!r}; it must be one of {', '.join(map(str, words))}")


def number(name: str, value: object, lowest: float, highest: float) -> None:
    """A number within limits, both included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise InvalidCommand(f"{name} is {value!r}; it must be a number from {lowest} to {highest}")


def whole(name: str, value: object, lowest: int, highest: int) -> None:
    """A whole number within limits, both included."""
    if type(value) is not int or not lowest <= value <= highest:
        raise InvalidCommand(f"{name} is {value!r}; it must be a whole number from {lowest} to {highest}")


def yes_or_no(name: str, value: object) -> None:
    """A boolean."""
    if not isinstance(value, bool):
        raise InvalidCommand(f"{name} is {value!r}; it must be True or False")


def in_grid(index: object) -> None:
    """The number of a picture in a grid, or of a clip among the videos."""
    if type(index) is not int or index not in GRID:
        given = f"{index!r}, which is text and not a number" if isinstance(index, str) else str(index)
        raise InvalidCommand(f"index is {given}; a grid's pictures are numbered {GRID[0]} to {GRID[-1]}")


def task_id(value: object) -> None:
    """What can be a task's id."""
    not_empty("task_id", value)
    # A path would lead elsewhere: these two are the ids that quoting leaves as they are.
    if value in (".", ".."):
        raise InvalidCommand(f"task_id {value!r} is no task's id")


def ref(value: str) -> tuple[str, str]:
    """What can be a task's ref: its account's name, and the task's id."""
    account, _, task = value.partition(":")
    if not account or not task or is_http(value):
        what = "is an address, and not a ref" if is_http(value) else "is not a ref"
        raise InvalidCommand(f"{value!r} {what}: write it as account:id")
    task_id(task)
    return account, task
