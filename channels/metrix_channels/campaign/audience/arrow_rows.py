"""Rows in the Arrow format: a Parquet file, or a DataFrame (pandas, polars, Arrow) with `__arrow_c_stream__`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ...errors.extras import missing_extra
from .header import id_column
from .rows import RawRows
from .source import FileSource, Source
from .typed_rows import CHUNK, RowsSource, slices, typed_rows

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as _missing:
    raise missing_extra("Parquet and DataFrames need pyarrow, which is not installed.", "parquet") from _missing

_NO_PARQUET: Final = "it is not a valid Parquet file: {}"
_CREATE_AGAIN: Final = "Create or copy the file again."
_ONE_TYPE: Final = "Give each column its own name and a single type, such as text: `frame.astype({'COLUMN': str})`."


class ArrowRows:
    """Reads record batches.

    Args:
        source: where they come from.
        schema: of all of them.
        batches: returns the record batches with the given columns.
        id_names: possible columns of the customUserId; the first that exists is used.

    Raises:
        CampaignError: audience_invalid.
    """

    is_plain = False

    def __init__(
        self,
        source: Source,
        schema: Any,  # of pyarrow, which has no types
        batches: Callable[[list[str]], Iterator[Any]],
        id_names: Sequence[str],
    ) -> None:
        self.source = source
        self.columns: tuple[str, ...] = tuple(schema.names)
        self.id_name: str = id_column(source, self.columns, id_names)
        self._batches = batches

    def chunks(self, wanted: Sequence[str]) -> Iterator[RawRows]:
        """Read the rows, once.

        Args:
            wanted: some of `columns`.

        Raises:
            CampaignError: audience_invalid.
        """
        digested = self.source if isinstance(self.source, RowsSource) else None
        first = 1
        names = list(dict.fromkeys((self.id_name, *wanted)))
        for batch in self._batches(names):
            for piece in slices(batch.num_rows):
                rows = batch.slice(piece.start, CHUNK)
                columns = {name: _values(rows.column(name)) for name in names}
                yield typed_rows(first, columns[self.id_name], [columns[name] for name in wanted], digested)
                first += rows.num_rows

    def close(self) -> None:
        """Close the source."""
        self.source.close()


def open_parquet(source: FileSource, id_names: Sequence[str]) -> ArrowRows:
    """Open a Parquet file. Its row groups are read in order, a few thousand rows at a time.

    Raises:
        CampaignError: audience_invalid.
    """
    try:
        file = parquet.ParquetFile(source.stream, pre_buffer=False, memory_map=False, buffer_size=1 << 16)
    except (pa.ArrowException, OSError) as error:
        raise source.refusal(_NO_PARQUET.format(_first_line(error)), remedy=_CREATE_AGAIN) from error
    rows = file.metadata.num_rows

    def batches(names: list[str]) -> Iterator[pa.RecordBatch]:
        read = 0
        try:
            for batch in file.iter_batches(CHUNK, columns=names, use_threads=False):
                read += batch.num_rows
                source.share_read = read / rows
                yield batch
        except (pa.ArrowException, OSError) as error:
            raise source.refusal(_NO_PARQUET.format(_first_line(error)), remedy=_CREATE_AGAIN) from error

    return ArrowRows(source, file.schema_arrow, batches, id_names)


def open_stream(source: RowsSource, table: object, id_names: Sequence[str]) -> ArrowRows:
    """Open an object that has `__arrow_c_stream__`.

    Raises:
        CampaignError: audience_invalid, also if the object cannot be read as columns.
    """

    def batches(names: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            for batch in stream:
                yield batch.select(names)
        except (pa.ArrowException, OSError) as error:
            raise source.refusal(f"the rows cannot be read: {_first_line(error)}") from error

    try:
        stream = pa.RecordBatchReader.from_stream(table)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:  # from the library of the table
        message = f"the rows cannot be read as columns: {_first_line(error)}"
        raise source.refusal(message, remedy=_ONE_TYPE) from error
    return ArrowRows(source, stream.schema, batches, id_names)


def _values(column: pa.Array) -> list[object]:
    if pa.types.is_timestamp(column.type):  # only pandas' timestamps keep nanoseconds
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    values: list[object] = column.to_pylist()
    return values


def _first_line(error: Exception) -> str:
    said = "; ".join(map(str, error.args)) or str(error)
    return said.strip().split("\n")[0].rstrip(".")
