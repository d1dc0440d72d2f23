"""No key in a log line, an event, a repr, an error or what stands behind it: watched during every test.

The keys are those that the test's own accounts are given. Every event is a log record too, with all its facts, so that
whoever reads the log at DEBUG reads the events.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mjbridge import Bridge, MJBridgeError, config, keys
from mjbridge.account import Account
from mjbridge.config import Examined

_LOGGER = "mjbridge"
_SHORTEST_KEY = 9
"""Shorter ones stand in innocent words; the key of the tests that use the shortest is sk-secret."""
_LONGEST_MEMORY = 20_000


class Watch(logging.Handler):
    """Remembers the keys that are used, and all that could show them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.keys: set[str] = set()
        self.lines = deque[str](maxlen=_LONGEST_MEMORY)
        self.errors = deque[BaseException](maxlen=_LONGEST_MEMORY)
        self.objects = deque[object](maxlen=_LONGEST_MEMORY)
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """The line, its traceback if it has one, and all its `extra`."""
        self.lines.append(f"log: {self._formatter.format(record)} {vars(record)}")

    # Each is told what a function gave, then what it was given.

    def saw_error(self, _: None, error: MJBridgeError, *__: object) -> None:
        """An error was made."""
        self.errors.append(error)

    def saw_account(
        self, _: None, account: Account, _name: str, provider: object, transport: object, key: str, *__: object
    ) -> None:
        """An account was opened."""
        self.saw_key(key)
        self.objects.extend((account, provider, transport))

    def saw_bridge(self, _: None, bridge: Bridge, *__: object) -> None:
        """A bridge was made."""
        self.objects.extend((bridge, bridge.config))

    def saw_key(self, key: str | None, *_: object) -> None:
        """A key was read."""
        if key and len(key.strip()) >= _SHORTEST_KEY:
            self.keys.add(key.strip())

    def saw_configuration(self, examined: Examined, *_: object) -> None:
        """A configuration was read."""
        self.objects.append(examined)
        for settings in examined.config.accounts.values():
            if keys.kind(settings.api_key) == keys.PLAIN:
                self.saw_key(settings.api_key)

    def leaks(self) -> list[str]:
        """Every text that shows a key."""
        texts = [*self.lines, *map(_repr, self.objects), *(text for error in self.errors for text in _shown(error))]
        return [text for text in texts if any(key in text for key in self.keys)]


def _repr(value: object) -> str:
    return f"repr: {value!r}"


def _shown(error: BaseException | None) -> Iterator[str]:
    """What a traceback prints of an error and of those behind it, and what the error holds."""
    while error is not None:
        yield f"error: {error} {error!r} {vars(error)}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.fixture(autouse=True)
def no_key_leaks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test that showed a key anywhere."""
    watch = Watch()
    _after(monkeypatch, MJBridgeError, "__init__", watch.saw_error)
    _after(monkeypatch, Account, "__init__", watch.saw_account)
    _after(monkeypatch, Bridge, "__init__", watch.saw_bridge)
    _after(monkeypatch, keys, "secret", watch.saw_key)
    _after(monkeypatch, config, "examine", watch.saw_configuration)
    logger = logging.getLogger(_LOGGER)
    logger.setLevel(logging.DEBUG)
    # What a test of the log's own sees is what an application sees that asks for nothing.
    caplog.handler.setLevel(logging.WARNING)
    logger.addHandler(watch)
    yield
    logger.removeHandler(watch)
    logger.setLevel(logging.NOTSET)
    leaks = watch.leaks()
    assert not leaks, f"a key was shown {len(leaks)} times, first in {leaks[0]}"


def _after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, look: Callable[..., object]) -> None:
    """Have `look` see each result of a function, and its arguments."""
    original = getattr(owner, name)

    def watched(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        look(result, *arguments)
        return result

    monkeypatch.setattr(owner, name, watched)
