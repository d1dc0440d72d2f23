"""The journal against loss: every submit is known before it leaves, and every accepted task until it settles.

One table, in an SQLite file or behind any SQL URL that SQLAlchemy knows (extra `sql`). A submit's intent is committed
before its request leaves, as `unknown`, and that is what it stays where nobody lives to write the outcome: what was
perhaps accepted is never taken for refused. Threads and processes may share a journal.
"""

import logging
import math
import os
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast

import msgspec
import sqlalchemy as sql
from sqlalchemy.event import listen
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from mjbridge import databases, fields, settings
from mjbridge.commands import Command
from mjbridge.errors import ConfigError, InvalidCommand, JournalError, MJBridgeError
from mjbridge.task import DONE, Task

_log = logging.getLogger("mjbridge.journal")

_BATCH: Final = 500
"""Tasks looked up in one statement: databases bound the parameters of one."""
_LONGEST_TEXT: Final = 10_000
"""Characters of a text in a command that are kept; Midjourney's longest prompt is shorter, a picture is longer."""
_NAMED: Final = 10
"""Submissions that an error names."""
_PATIENCE: Final = 30
"""Seconds to wait, at most, for another process that writes to the same SQLite file."""


class Outcome(StrEnum):
    """What became of a submit, as far as anybody knows."""

    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DISMISSED = "dismissed"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One submit. `outcome` is `unknown` where it may have been accepted; `category` is the error's, if there was one.

    `command` is the command as JSON, without the content of pictures; `status` is the task's as it was last seen.
    """

    id: str
    submitted_at: datetime
    account: str
    provider: str
    command: msgspec.Raw
    outcome: Outcome
    category: str = ""
    task_id: str = ""
    status: str = ""
    settled: bool = False

    @property
    def ref(self) -> str:
        """The ref of an accepted task, `""` where no task is known."""
        return f"{self.account}:{self.task_id}" if self.task_id else ""


_tables: Final = sql.MetaData()
submissions: Final = sql.Table(
    "mjbridge_submissions",
    _tables,
    sql.Column("id", sql.String(64), primary_key=True),
    sql.Column("submitted_at", sql.Double, nullable=False, comment="epoch seconds"),
    sql.Column("account", databases.key_text(192), nullable=False),
    sql.Column("provider", databases.TEXT, nullable=False),
    sql.Column("command", databases.TEXT, nullable=False, comment="JSON"),
    sql.Column("outcome", sql.String(16), nullable=False),
    sql.Column("category", databases.TEXT, nullable=False),
    sql.Column("task_id", databases.key_text(512), nullable=False),
    sql.Column("status", sql.String(16), nullable=False),
    sql.Column("settled", sql.Boolean, nullable=False),
    sql.Index("mjbridge_submissions_tasks", "account", "task_id"),
    **databases.OPTIONS,
)
_unsettled: Final = (submissions.c.outcome == Outcome.UNKNOWN) | (
    (submissions.c.outcome == Outcome.ACCEPTED) & sql.not_(submissions.c.settled)
)
_unfinished: Final = sql.and_(*(submissions.c.status != status for status in sorted(DONE)))


class Submission:
    """What the journal is told of one submit. Only `intend` raises: after it the vendor's answer matters more."""

    def __init__(self, journal: "Journal", row: Mapping[str, Any]) -> None:
        self._journal = journal
        self._row = row
        self._intended = False

    def intend(self, patience: float = math.inf) -> None:
        """Commit the intent. `JournalError` if that fails, and then nothing may be sent."""
        if not self._intended:
            self._journal.write(submissions.insert().values(self._row), patience=patience)
            self._intended = True

    def accepted(self, task: Task) -> None:
        """The vendor has the task. Where that cannot be written the intent stays, unknown, and the log has the ref."""
        self._settle(
            f"{task.ref} was accepted",
            outcome=Outcome.ACCEPTED,
            task_id=task.id,
            status=task.status,
            settled=task.settled,
        )

    def failed(self, error: MJBridgeError) -> None:
        """The vendor refused it, or nobody knows."""
        outcome = Outcome.REFUSED if error.accepted == "no" else Outcome.UNKNOWN
        self._settle(f"it was {outcome}", outcome=outcome, category=type(error).__name__)

    def _settle(self, what: str, **values: Any) -> None:
        if not self._intended:
            return
        ours = submissions.c.id == self._row["id"]
        with _logged(f"of submission {self._row['id']} the journal does not know that {what}"):
            self._journal.write(submissions.update().where(ours).values(values))


class Journal:
    """The submits of any number of bridges. `place` is a file's path or an SQL URL; it is opened at first use.

    `now` is a clock in epoch seconds, `new_id` makes the submissions' ids.
    """

    def __init__(
        self,
        place: str | Path,
        *,
        now: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.engine = _engine(str(place))
        self._now = now
        self._new_id = new_id
        self._lock = Lock()
        self._ready = False
        self._process = os.getpid()

    def __repr__(self) -> str:
        # A password may stand in the query too.
        return f"Journal({self.engine.url.set(query={}).render_as_string()!r})"

    def close(self) -> None:
        """Free the connections."""
        self.engine.dispose()

    def submission(
        self, account: str, provider: str, command: Command, redacted: Callable[[str], str] = str
    ) -> Submission:
        """A submit that may be about to leave; its command is kept as `redacted` gives it. Nothing is written yet."""
        row = {"id": self._new_id(), "submitted_at": self._now(), "account": account, "provider": provider}
        unknown = {"outcome": Outcome.UNKNOWN, "category": "", "task_id": "", "status": "", "settled": False}
        return Submission(self, {**row, "command": _written(command, redacted), **unknown})

    def saw(self, tasks: Sequence[Task], patience: float = math.inf) -> None:
        """Tasks as a vendor has just told them. The caller gets them even where the journal cannot be written."""
        with _logged(f"the journal does not know how {len(tasks)} tasks stand now"):
            for account, group in groupby(sorted(tasks, key=attrgetter("account")), attrgetter("account")):
                known = list(group)
                for start in range(0, len(known), _BATCH):
                    self._saw(account, known[start : start + _BATCH], patience)

    def unsettled(self) -> Iterator[Entry]:
        """What is accepted and not settled, and what may have been accepted, oldest first."""
        return self._entries(_unsettled)

    def all(self) -> Iterator[Entry]:
        """Every submit there ever was, oldest first."""
        return self._entries(sql.true())

    def dismiss(self, submission: str) -> None:
        """Take a submission off the list, by its id, for its fate is known. `InvalidCommand` if there is none."""
        chosen = (submissions.c.id == submission) & _unsettled
        if not self.write(submissions.update().where(chosen).values(outcome=Outcome.DISMISSED)):
            known = [f"{entry.id} ({entry.ref or entry.account})" for entry in self.unsettled()]
            shown = ", ".join(known[:_NAMED]) + (f" and {len(known) - _NAMED} more" if len(known) > _NAMED else "")
            raise InvalidCommand(f"the journal has no unsettled submission {submission!r}; it has: {shown or 'none'}")

    def write(
        self,
        statement: sql.Executable,
        rows: Sequence[Mapping[str, Any]] | None = None,
        *,
        patience: float = math.inf,
    ) -> int:
        """Commit one statement; the number of rows it changed. `JournalError` if it cannot be.

        Another process that writes to the same SQLite file is waited for, for `patience` seconds and 30 at most.
        """
        with self._failing("written"), self.engine.begin() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql(_busy_timeout(patience))
            return cast("sql.CursorResult[Any]", connection.execute(statement, rows)).rowcount

    def _saw(self, account: str, tasks: Sequence[Task], patience: float) -> None:
        ours = (submissions.c.account == account) & _unfinished
        asked = ours & submissions.c.task_id.in_([task.id for task in tasks])
        with self._failing("read"), self.engine.connect() as connection:
            rows = connection.execute(sql.select(submissions.c.task_id, submissions.c.status).where(asked)).all()
        now = {task.id: task for task in tasks}
        # Most polls tell nothing new, and then nothing is written.
        changed = [
            {"known": task_id, "status": now[task_id].status, "settled": now[task_id].settled}
            for task_id in {task_id for task_id, status in rows if status != now[task_id].status}
        ]
        if changed:
            known = submissions.c.task_id == sql.bindparam("known")
            self.write(submissions.update().where(ours & known), changed, patience=patience)

    def _entries(self, chosen: sql.ColumnElement[bool]) -> Iterator[Entry]:
        statement = submissions.select().where(chosen).order_by(submissions.c.submitted_at, submissions.c.id)
        with self._failing("read"), self.engine.connect() as connection:
            for row in connection.execution_options(yield_per=_BATCH).execute(statement).mappings():
                told = dict(row)
                told["submitted_at"] = datetime.fromtimestamp(row["submitted_at"], UTC)
                told["command"] = msgspec.Raw(row["command"].encode())
                told["outcome"] = Outcome(row["outcome"])
                yield Entry(**told)

    @contextmanager
    def _failing(self, how: str) -> Generator[None, None, None]:
        """Errors of the database inside, and of its opening before, become `JournalError`."""
        try:
            self._prepare()
            yield
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            raise JournalError(f"{self!r} cannot be {how}: {type(reason).__name__}: {reason}") from None

    def _prepare(self) -> None:
        with self._lock:
            if self._process != os.getpid():
                # A forked process leaves its parent's connections alone, open as they are: SQLite's locks, and what a
                # server answers, are the parent's.
                self.engine.dispose(close=False)
                self._process = os.getpid()
            if not self._ready:
                try:
                    _tables.create_all(self.engine)
                except SQLAlchemyError:
                    # Another process may have made the table at the same moment.
                    if not sql.inspect(self.engine).has_table(submissions.name):
                        raise
                self._ready = True


def _written(command: Command, redacted: Callable[[str], str]) -> str:
    """A command as JSON, its texts redacted and without the content of its pictures."""
    told = msgspec.to_builtins(command, builtin_types=(bytes, bytearray), enc_hook=repr)
    return msgspec.json.encode(_bare(told, redacted)).decode()


def _bare(value: Any, redacted: Callable[[str], str]) -> Any:
    if fields.is_object(value):
        return {redacted(str(key)): _bare(item, redacted) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_bare(item, redacted) for item in cast("Sequence[Any]", value)]
    if isinstance(value, bytes | bytearray):
        return f"[{len(value)} bytes]"
    if isinstance(value, str):
        too_long = value.startswith("data:") or len(value) > _LONGEST_TEXT
        return f"[{len(value)} characters]" if too_long else redacted(value.encode("utf-8", "replace").decode())
    return value


@contextmanager
def _logged(consequence: str) -> Generator[None, None, None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 whatever keeps the outcome from being written, the task is paid for
        _log.error("%s: %s", consequence, error)


def _engine(place: str) -> sql.Engine:
    url = place if "://" in place else sql.URL.create("sqlite", database=str(settings.path(place)))
    try:
        engine = sql.create_engine(url)
    except (NoSuchModuleError, ImportError) as error:
        way_out = "; it is written postgresql://" if place.startswith("postgres:") else ""
        raise ConfigError(f"journal: its database cannot be spoken to: {error}{way_out}") from None
    except (ArgumentError, ValueError):
        # The URL may hold a password, and so may what is said about it.
        raise ConfigError("journal: it is neither a path nor an SQL URL, dialect://user:password@host/name") from None
    if engine.dialect.name == "sqlite":
        listen(engine, "connect", _durable)
    return engine


def _durable(connection: Any, _record: object) -> None:
    """SQLite's own settings: a commit is on disk when it returns, and readers do not wait for writers."""
    for pragma in (_busy_timeout(), "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
        connection.execute(pragma).close()


def _busy_timeout(patience: float = math.inf) -> str:
    return f"PRAGMA busy_timeout = {int(1000 * min(patience, _PATIENCE))}"
