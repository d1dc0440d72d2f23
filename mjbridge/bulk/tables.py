"""SQL tables, as a source of records and as a place for tasks, through SQLAlchemy (extra `sql`)."""

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from mjbridge.bulk.files import Lines, Sink, database_file, file_of, whole_file
from mjbridge.errors import ConfigError, MJBridgeError
from mjbridge.fields import Record, plain
from mjbridge.records.windows import ID_KEYS, Block, limit, oversized
from mjbridge.task import Task, decode

try:
    import sqlalchemy as sql
    from sqlalchemy import exc
    from sqlalchemy.dialects import mysql, postgresql

    from mjbridge import databases
except ImportError:
    raise ConfigError("SQL needs an extra: pip install 'mjbridge[sql]'") from None

_ROWS: Final = 1000

_ASIDE: Final = 2**20
"""Bytes of tasks that are written at a time, where they had to wait."""

# Beside one of these a task's row has its state: what has neither is another table.
_STATUS_COLUMNS: Final = ("status", "Status")

# What makes a task one, and how much of it the keys of MySQL take.
_KEY: Final = {"provider": 64, "account": 192, "id": 512}
_VERSION: Final = "schema_version"
_NUMBERS: Final = {"progress": sql.Integer, "cost_usd": sql.Double}
_TIMES: Final = frozenset({"submitted_at", "started_at", "finished_at"})
_JSON: Final = frozenset({"image_urls", "video_urls", "texts", "buttons", "properties", "raw", "attempts"})


class _Place(NamedTuple):
    """A table's name, and the schema it is in where that is not the database's own."""

    name: str
    schema: str | None


# A table as a source.


def blocks(url: str, table: str) -> Iterator[Block]:
    """The rows of a table as JSON records, in the order of its key, some at a time: never the whole table."""
    with _engine(url) as engine, _connected(engine) as connection:
        name = f"{_shown(url)} {table}"
        source = _reflected(connection, table)
        order = list(source.primary_key) or [source.columns[_id_column(source)]]
        streaming = connection.execution_options(stream_results=True, yield_per=_ROWS)
        found = streaming.execute(sql.select(source).order_by(*order)).mappings()
        is_own = _VERSION in source.columns
        for rows in found.partitions():
            values = ({column: plain(value) for column, value in row.items()} for row in rows)
            records = (_encoded(_canonical(row) if is_own else row) for row in values)
            yield from _blocks(name, records)


def _blocks(name: str, records: Iterable[bytes]) -> Iterator[Block]:
    for fits, some in itertools.groupby(records, lambda record: len(record) <= limit(record)):
        if fits:
            found: list[Record] = [*some]
            yield Block(name, found, [0] * len(found))
        else:
            yield from (oversized(name, 0, len(record), record) for record in some)


def _connected(engine: sql.Engine) -> sql.Connection:
    if engine.dialect.name != "sqlite":
        return engine.connect()
    database = engine.url.database
    if database and not Path(database_file(database)).exists():
        raise ConfigError(f"{database}: no such file")  # SQLite would make an empty one
    connection = engine.connect()
    driver: Any = connection.connection.driver_connection
    driver.text_factory = _text_of_sqlite
    return connection


def _text_of_sqlite(stored: bytes) -> str | msgspec.Raw:
    """A text; one that is no UTF-8, which SQLite takes too, as it is: whoever reads the record refuses it."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        quoted = json.dumps(stored.decode("utf-8", "surrogateescape"), ensure_ascii=False)
        return msgspec.Raw(quoted.encode("utf-8", "surrogateescape"))


def _reflected(connection: sql.Connection, table: str) -> sql.Table:
    place = _place(connection, table)
    try:
        found = sql.Table(place.name, sql.MetaData(), schema=place.schema, autoload_with=connection)
    except exc.NoSuchTableError:
        known = ", ".join(sorted(sql.inspect(connection).get_table_names(place.schema)))
        there = f"in {place.schema} there are" if place.schema else "there are"
        raise ConfigError(f"there is no table {table!r}; {there}: {known or 'none'}") from None
    for meaning, names in (("a task's id", ID_KEYS), ("its status", _STATUS_COLUMNS)):
        if not any(name in found.columns for name in names):
            there = ", ".join(found.columns.keys())
            raise ConfigError(f"table {table!r} has no column of {meaning} ({', '.join(names)}); it has: {there}")
    if connection.dialect.name == "sqlite":
        for column in found.columns:
            column.type = sql.types.NULLTYPE  # a column's type says there what is meant to be in it, not what is
    return found


def _id_column(table: sql.Table) -> str:
    return next(name for name in ID_KEYS if name in table.columns)


def _canonical(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table that was written here, as the canonical record it came from."""
    return {key: _value(key, value) for key, value in row.items() if value is not None}


def _value(key: str, value: Any) -> Any:
    return msgspec.Raw(value.encode()) if key in _JSON and isinstance(value, str) else value


_encoded: Final = msgspec.json.Encoder(enc_hook=str, decimal_format="number").encode


# A table as a place for tasks.


@contextmanager
def sink(url: str, table: str, source: str | None = None) -> Generator[Sink, None, None]:
    """Tasks into a table, made where it is missing, in one transaction: new ones added, known ones replaced."""
    with _engine(url) as engine, _file_taken_back(engine), engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")  # its driver would do so only after the table is made
        place = _place(connection, table)
        target = _target(place)
        is_new = not sql.inspect(connection).has_table(place.name, place.schema)
        target.create(connection, checkfirst=True)
        there = {column["name"] for column in sql.inspect(connection).get_columns(place.name, place.schema)}
        missing = [column.name for column in target.columns if column.name not in there]
        if missing:
            raise ConfigError(f"table {table!r} is not one of tasks: it has no column {', '.join(missing)}")
        upserts = _Upserts(connection, _upsert(connection.dialect.name)(target))
        try:
            with _once_read(upserts) if _is_same_file(url, source) else nullcontext(upserts) as taken:
                yield taken
        except BaseException:
            if is_new and connection.dialect.name in databases.MYSQL:
                with suppress(exc.SQLAlchemyError):
                    target.drop(connection)  # what is made there is not taken back with the rest
            raise


@contextmanager
def _file_taken_back(engine: sql.Engine) -> Generator[None, None, None]:
    """SQLite's file as it was, where all comes to nothing: a full disk cuts its rollback short, a new file stays."""
    if engine.dialect.name != "sqlite":
        yield
        return
    database = engine.url.database or ":memory:"
    if ":memory:" in database:
        raise ConfigError("a database in memory is gone with the command: name a file (like sqlite:///tasks.db)")
    file = Path(database_file(database))
    is_new = not file.exists()
    try:
        yield
    except BaseException:
        with suppress(exc.SQLAlchemyError), engine.connect() as connection:
            sql.inspect(connection).get_table_names()  # who reads it next rolls back what the full disk left
        if is_new and file.exists() and not file.stat().st_size:
            file.unlink()
        raise


def _is_same_file(url: str, source: str | None) -> bool:
    files = [os.path.realpath(file_of(each)) for each in (url, source) if each and each.startswith("sqlite")]
    return len(files) > len(set(files))


@contextmanager
def _once_read(upserts: Sink) -> Generator[Sink, None, None]:
    """Takes tasks aside until all is read: SQLite writes nothing to a file that is being read, and waits."""
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder) / "tasks.jsonl"
        with whole_file(str(aside)) as file:
            yield file
        with aside.open("rb") as file:
            while lines := file.readlines(_ASIDE):
                upserts.write(b"".join(lines))


class _Upserts:
    def __init__(self, connection: sql.Connection, statement: Any) -> None:
        self._connection = connection
        self._statement = statement

    def write(self, lines: Lines, /) -> None:
        told = bytes(lines)
        rows = [_row(decode(line)) for line in told.splitlines()]
        if b"\\u0000" in told and self._connection.dialect.name == "postgresql":
            rows = [_without_nul(row) for row in rows]
        if rows:
            self._connection.execute(self._statement, rows)


def _target(place: _Place) -> sql.Table:
    columns = (sql.Column(name, _kind(name), primary_key=name in _KEY) for name in Task.__struct_fields__)
    version = sql.Column(_VERSION, sql.Integer, nullable=False)
    return sql.Table(place.name, sql.MetaData(), version, *columns, schema=place.schema, **databases.OPTIONS)


def _kind(name: str) -> Any:
    if name in _KEY:
        return databases.key_text(_KEY[name])
    if name in _TIMES:
        return sql.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    return _NUMBERS.get(name, databases.TEXT)


def _row(task: Task) -> dict[str, Any]:
    """A row of a task: JSON text where no type of SQL fits; null for what is empty."""
    values = {name: getattr(task, name) for name in Task.__struct_fields__}
    written = {name: _text(value) if name in _JSON else value for name, value in values.items()}
    return {_VERSION: Task.schema_version, **written, "status": task.status.value}


def _without_nul(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for PostgreSQL, whose texts cannot hold NUL. In JSON it stands escaped, so `raw` keeps it."""
    return {name: value.replace("\0", "\ufffd") if isinstance(value, str) else value for name, value in row.items()}


def _text(value: Any) -> str | None:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode("utf-8", "replace") or None
    return msgspec.json.encode(value).decode() if value else None


def _upsert(dialect: str) -> Callable[[sql.Table], Any]:
    known: dict[str, Callable[[sql.Table], Any]] = {
        "sqlite": _on_conflict,
        "postgresql": _on_conflict,
        "mysql": _on_duplicate,
        "mariadb": _on_duplicate,
    }
    if dialect not in known:
        raise ConfigError(f"tasks can be written to {', '.join(known)}, and this is {dialect}")
    return known[dialect]


def _on_conflict(target: sql.Table) -> Any:
    # PostgreSQL's words, which SQLite took over.
    insert = postgresql.insert(target)
    return insert.on_conflict_do_update(index_elements=[*_KEY], set_=_new_values(insert.excluded))


def _on_duplicate(target: sql.Table) -> Any:
    insert = mysql.insert(target)
    return insert.on_duplicate_key_update(_new_values(insert.inserted))


def _new_values(row: Any) -> dict[str, Any]:
    return {name: row[name] for name in (_VERSION, *Task.__struct_fields__) if name not in _KEY}


# The database.


def _place(connection: sql.Connection, table: str) -> _Place:
    """Where `schema.name` is, or would be; a dot may be part of the name of a table that is there."""
    if sql.inspect(connection).has_table(table):
        return _Place(table, None)
    schema, _, name = table.rpartition(".")
    return _Place(name, schema) if schema and name else _Place(table, None)


@contextmanager
def _engine(url: str) -> Generator[sql.Engine, None, None]:
    """A database for one run; its errors are told in one line, without the password."""
    try:
        engine = sql.create_engine(url, poolclass=sql.NullPool)
    except (exc.ArgumentError, exc.NoSuchModuleError) as error:
        way_out = "; it is written postgresql://" if url.startswith("postgres:") else ""
        raise ConfigError(f"no database URL (like sqlite:///tasks.db): {error}{way_out}") from None
    except ModuleNotFoundError as error:
        raise ConfigError(f"the driver of this database is not installed: {error.name}") from None
    try:
        yield engine
    except exc.SQLAlchemyError as error:
        # PostgreSQL shows the statement in lines of their own.
        told, _, _ = str(getattr(error, "orig", None) or error).strip().partition("\n")
        raise MJBridgeError(f"{_shown(url)}: {told}") from None
    finally:
        engine.dispose()


def _shown(url: str) -> str:
    return sql.make_url(url).render_as_string(hide_password=True)
