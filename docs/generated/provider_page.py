"""A provider's page: what its tables say, and what its fixtures show."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mjbridge import MalformedRecord, Provider, Task, fields, plugins
from mjbridge.testing import Conversation, conversations, record_cases
from reference import cell, keys
from tables import prose, table

FIXTURES: Final = Path(__file__).parents[2] / "fixtures"


def provider(name: str) -> str:
    """All that the code and the fixtures of a provider know."""
    found = plugins.load(name)
    parts = {
        "At a glance": _glance(found),
        "Commands": table(
            ("command", "how"), ((f"`{command.__name__}`", cell(found, command)) for command in found.supports)
        ),
        "Options": f"{prose(found.Options)}\n\n{keys(found.Options)}" if found.Options.__struct_fields__ else "None.",
        "Requests": _requests(name),
        "Records, field by field": _record_keys(found()),
        "Statuses": _words(found, "STATUSES", "status"),
        "Actions": _words(found, "ACTIONS", "action"),
        "Errors": _refusals(found),
        "Sources": _sources(name),
    }
    return "\n\n".join(f"## {title}\n\n{body}" for title, body in parts.items())


def _glance(found: type[Provider]) -> str:
    row = (
        f"`{found.base_url}`" if found.base_url else "the account's",
        "needed" if found.needs_key else "as the installation wants it",
        f"{found.poll_interval:g} s",
    )
    return f"{prose(found)}\n\n{table(('base URL', 'key', 'a poll each'), [row])}"


def _requests(name: str) -> str:
    """The fixtures of requests, as examples: what is asked, and what is sent."""
    cases = [case for case in conversations(FIXTURES / name) if case.name.startswith("requests/") and case.exchange]
    return table(("case", "asked", "sent"), ((case.about, f"`{_asked(case)}`", _sent(case)) for case in cases))


def _asked(case: Conversation) -> str:
    """A call and what it is given, as JSON writes it."""
    if case.operation != "submit":
        return f"{case.operation}({_json(case.argument)})"
    command = dict(case.argument)
    name = command.pop("command")
    return f"{name}({', '.join(f'{field}={_json(value)}' for field, value in command.items())})"


def _sent(case: Conversation) -> str:
    asked = [turn.request for turn in case.exchange]
    return ", then ".join(f"`{each.method} {each.path}` {_code(each.form or each.json)}".strip() for each in asked)


def _code(body: object) -> str:
    return "" if body is None else f"`{_json(body)}`"


def _json(value: object) -> str:
    return _CONTENT.sub(r"\1...", json.dumps(value, ensure_ascii=False))


_CONTENT: Final = re.compile(r"((?:;base64,|iVBOR)[\w+/]{8})[\w+/]{24,}=*")
"""The content of a picture, of which a page shows the beginning."""


def _record_keys(found: Provider) -> str:
    """What each key of a record decides, and what it is written from: found by leaving out one after the other."""
    read, written = _read_from(found), _written_from(found)
    keys = [*read, *(key for key in written if key not in read)]
    rows = ((f"`{key}`", _fields(read.get(key, ())) or _UNREAD, _fields(written.get(key, ()))) for key in keys)
    return (
        "What changes in the task when a key is left out of the records of the fixtures, and which fields a key is "
        "written from when a task is rendered.\n\n" + table(("key", "read into", "written from"), rows)
    )


_UNREAD: Final = "kept in `raw`, or said by another key"


def _fields(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in Task.__struct_fields__ if name in set(names))


def _read_from(found: Provider) -> dict[str, set[str]]:
    decided: dict[str, set[str]] = {}
    for record in _records(found):
        whole = found.normalize(record)
        for path in _paths(record):
            changed = decided.setdefault(".".join(path), set())
            try:
                without = found.normalize(_without(record, path))
            except MalformedRecord:
                changed.add("id")
                continue
            changed |= {name for name in _COMPARED if getattr(whole, name) != getattr(without, name)}
    return decided


_COMPARED: Final = tuple(name for name in Task.__struct_fields__ if name not in ("provider", "raw", "attempts"))


def _written_from(found: Provider) -> dict[str, set[str]]:
    """Which keys a rendered record gains by each field of the tasks of the fixtures."""
    empty = Task(id="1", provider=found.name)
    written: dict[str, set[str]] = {}
    for task in map(found.normalize, _records(found)):
        whole = found.render(task)
        for name in _COMPARED:
            plain = msgspec.structs.replace(task, **{name: getattr(empty, name)})
            bare = found.render(plain)
            for key in whole:
                if whole[key] != bare.get(key):
                    written.setdefault(key, set()).add(name)
    return written


def _records(found: Provider) -> list[dict[str, Any]]:
    folder = FIXTURES / found.name
    stored = [record for case in record_cases(folder) for record in case.records]
    polled = [
        bytes(case.exchange[-1].reply.json)
        for case in conversations(folder)
        if case.operation == "fetch" and case.exchange and not case.error
    ]
    return [fields.decode(record) for record in (*stored, *polled)]


def _paths(record: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, value in record.items():
        yield (key,)
        if fields.is_object(value):
            yield from ((key, inner) for inner in value)


def _without(record: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {key: value for key, value in record.items() if key != first}
    return {**record, first: _without(record[first], rest)}


def _words(found: type[Provider], name: str, meaning: str) -> str:
    """A table of a plugin's `records` module, or of the dialect it builds on."""
    words = _table_of(found, name)
    rows = ((f"`{word}`" if word else "empty or missing", f"`{value}`") for word, value in words.items())
    listed = table(("the vendor's word", f"canonical {meaning}"), rows)
    return f"{listed}\n\nAny other word is kept: {_OTHERS[meaning]}."


_OTHERS: Final = {
    "status": "the task's `status` is `unknown`, and `vendor_status` holds the word",
    "action": "`action` is the word in lower case",
}


def _table_of(found: type[Provider], name: str) -> Mapping[str, str]:
    for base in found.__mro__:
        records = getattr(sys.modules[base.__module__], "records", None)
        words: Mapping[str, str] | None = getattr(records, name, None)
        if words is not None:
            return words
    return {}


def _refusals(found: type[Provider]) -> str:
    rows = (
        (f"`{code}`", f"[`{refusal.category.__name__}`](../errors.md)", refusal.meaning, _ACCEPTED[refusal.accepted])
        for code, refusal in found.refusals.items()
    )
    return table(("the vendor's code", "error", "meaning", "was it accepted?"), rows)


_ACCEPTED: Final = {"no": "no", "maybe": "nobody knows"}


def _sources(name: str) -> str:
    folder = FIXTURES / name
    told = [(case.source, case.date) for case in (*conversations(folder), *record_cases(folder))]
    newest = {source: max(date for each, date in told if each == source) for source, _ in told}
    return "\n".join(f"- {_linked(source)} (read {date})" for source, date in sorted(newest.items()))


def _linked(source: str) -> str:
    return re.sub(r"(https?://[^\s,;)]+)", r"<\1>", source)
