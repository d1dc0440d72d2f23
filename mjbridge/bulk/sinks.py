"""Where canonical tasks go, told by the target's form: lines, columns or a table."""

from contextlib import AbstractContextManager
from pathlib import Path

from mjbridge.bulk.files import Sink, lines_file


def sink(target: str, table: str, source: str | None = None) -> AbstractContextManager[Sink]:
    """What writes to `target`: a file, by its suffix, or the `table` of a database, by its URL; `-` is stdout.

    `source` is the URL of the database that is read meanwhile, if one is. What is written appears when the context ends
    well, and otherwise leaves no trace.
    """
    if "://" in target:
        from mjbridge.bulk import tables  # noqa: PLC0415 it needs the extra `sql`, and files do not

        return tables.sink(target, table, source)
    if Path(target).suffix.lower() == ".parquet":
        from mjbridge.bulk import parquet  # noqa: PLC0415 it needs the extra `arrow`, and lines do not

        return parquet.sink(target)
    return lines_file(target)
