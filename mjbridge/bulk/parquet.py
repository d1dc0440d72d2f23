"""Parquet files, as a place for tasks (extra `arrow`)."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from mjbridge.bulk.files import Lines, Sink, whole_file
from mjbridge.errors import ConfigError
from mjbridge.task import decode

try:
    import pyarrow as pa
    from pyarrow import parquet

    from mjbridge import arrow
except ImportError:
    raise ConfigError("Parquet needs an extra: pip install 'mjbridge[arrow]'") from None

ROW_GROUP: Final = 32 * 2**20
"""Bytes of Arrow data in a row group."""


@contextmanager
def sink(path: str) -> Generator[Sink, None, None]:
    """Writes tasks to a file, which appears when the context ends well."""
    with whole_file(path) as file, parquet.ParquetWriter(file, arrow.SCHEMA, compression="zstd") as writer:
        rows = _Rows(writer)
        yield rows
        rows.flush()


class _Rows:
    """Tasks as row groups of bounded size."""

    def __init__(self, writer: parquet.ParquetWriter) -> None:
        self._writer = writer
        self._batches: list[pa.RecordBatch] = []
        self._size = 0

    def write(self, lines: Lines, /) -> None:
        if not lines:
            return
        batch = arrow.batch(map(decode, bytes(lines).splitlines()))
        self._batches.append(batch)
        self._size += batch.nbytes
        if self._size > ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is there as one row group."""
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches))
            self._batches.clear()
            self._size = 0
