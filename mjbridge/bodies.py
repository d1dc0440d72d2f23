"""How a vendor's requests are written, as data: one row a command, read by both halves of a provider.

A `Body` names the path and the keys of a command's fields. The client half writes with it and the server half reads
with it, so each is the other's inverse. A field that no key says is never dropped in silence: `unsaid` names it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from mjbridge import fields
from mjbridge.commands import PARAMETERS, Command, Drawing
from mjbridge.pictures import inputs

_APART: Final = frozenset({"extra"})


def _same(value: Any) -> Any:
    return value


def _is_nothing(value: object) -> bool:
    return value is None or value is False or value == ()


def _any(command: Any) -> bool:
    del command
    return True


class Key(msgspec.Struct, frozen=True):
    """Where a field stands in a vendor's body, how its value is written, and how it is read (None: it is not there)."""

    name: str
    write: Callable[[Any], Any] = _same
    read: Callable[[Any], Any] = fields.text


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A command's request: `path`, and the `keys` of its fields.

    `says`: fields whose value the path or `always` says. `implied`: fields whose value goes without saying. `where`: to
    which commands of the kind the row applies. `always`: what every such body holds and is known by. `padding`: what it
    holds because the vendor demands it.
    """

    kind: type[Command]
    path: str
    keys: Mapping[str, Key]
    says: Mapping[str, Any] = {}
    implied: Mapping[str, Any] = {}
    where: Callable[[Any], bool] = _any
    always: Mapping[str, Any] = {}
    padding: Mapping[str, Any] = {}

    def fits(self, command: Command) -> bool:
        """Whether this row says the command."""
        if type(command) is not self.kind:
            return False
        return all(getattr(command, name) == value for name, value in self.says.items()) and self.where(command)

    def write(self, command: Command) -> dict[str, Any]:
        """The body. Midjourney's parameters that have no key become flags of the prompt."""
        given = ((key, getattr(command, name)) for name, key in self.keys.items())
        written = {key.name: key.write(value) for key, value in given if not _is_nothing(value)}
        body = {name: value for name, value in written.items() if value is not None}
        if isinstance(command, Drawing):
            flags = command.flags(name for name in PARAMETERS if name not in self.keys)
            prompt = self.keys["prompt"].name if "prompt" in self.keys else "prompt"
            body[prompt] = " ".join(filter(None, (command.prompt, flags)))
        return {**self.always, **self.padding, **body}

    def unsaid(self, command: Command) -> list[str]:
        """The fields whose value this body would drop."""
        flags = PARAMETERS if isinstance(command, Drawing) else ()
        said = {*self.keys, *self.says, *flags, *_APART}
        return [
            field.name
            for field in msgspec.structs.fields(command)
            if field.name not in said
            and not _is_nothing(value := getattr(command, field.name))
            and value not in (field.default, self.implied.get(field.name))
        ]

    def read(self, document: Mapping[str, Any]) -> dict[str, Any] | str:
        """The command's fields in a body, or the key that is missing in it."""
        strange = next((key for key, value in self.always.items() if document.get(key) != value), None)
        if strange is not None:
            return strange
        given = {name: key.read(document.get(key.name)) for name, key in self.keys.items()}
        for field in msgspec.structs.fields(self.kind):
            if field.required and field.name in given and _is_nothing(given[field.name]):
                return self.keys[field.name].name
        return {**self.says, **{name: value for name, value in given.items() if value is not None}}


def find(bodies: Iterable[Body], command: Command) -> Body | None:
    """The row that says a command; None if there is none."""
    return next((body for body in bodies if body.fits(command)), None)


def read(bodies: Iterable[Body], path: str, document: Mapping[str, Any]) -> tuple[Body, dict[str, Any]] | str:
    """The row that a body on that path is written by, and the fields in it; or the missing key (`""`: no such path)."""
    missing = ""
    for body in bodies:
        if body.path == path:
            found = body.read(document)
            if not isinstance(found, str):
                return body, found
            missing = found
    return missing


# Keys of the usual kinds.


def picture(name: str) -> Key:
    """A picture: its address, a data URI, or, when read, bare base64."""
    return Key(name, read=_picture)


def pictures(name: str) -> Key:
    """A list of pictures."""
    return Key(name, list, lambda value: tuple(filter(None, map(_picture, fields.each(value)))))


def lone_picture(name: str) -> Key:
    """One picture, which the vendor wants in a list."""
    return Key(name, lambda value: [value], lambda value: next(filter(None, map(_picture, fields.each(value))), None))


def first_picture(name: str) -> Key:
    """The only one of our pictures, which the vendor wants without a list."""
    return Key(name, lambda value: value[0], lambda value: tuple(filter(None, [_picture(value)])))


def _picture(value: object) -> str | None:
    found = fields.text(value)
    bare = found and not inputs.is_address(found) and not inputs.is_content(found)
    return f"data:;base64,{found}" if bare else found


def whole(name: str) -> Key:
    """A whole number."""
    return Key(name, read=fields.whole)


def number(name: str) -> Key:
    """A number, whole where it is whole."""
    return Key(name, read=fields.amount)


def zero_based(name: str) -> Key:
    """A number counted from 1 here, and from 0 by the vendor."""

    def read(value: object) -> int | None:
        found = fields.whole(value)
        return None if found is None else found + 1

    return Key(name, lambda value: value - 1, read)


def switch(name: str) -> Key:
    """A boolean."""
    return Key(name, read=lambda value: value is True or None)


def word(name: str, words: Mapping[str, Any]) -> Key:
    """One of a few words: ours to the vendor's."""
    ours = {value: key for key, value in words.items()}

    def read(value: Any) -> Any:
        # What a stranger writes there may be a list or an object.
        return None if isinstance(value, list | dict) else ours.get(value, fields.text(value))

    return Key(name, lambda value: words[value], read)


def upper(name: str) -> Key:
    """A word that the vendor writes in capitals."""
    return Key(name, str.upper, lambda value: fields.word(value) or None)
