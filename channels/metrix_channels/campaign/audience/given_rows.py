"""Rows that a Python program gives: mappings, such as a QuerySet's `.values()`, or a DataFrame."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, Final, Protocol, runtime_checkable

from ...errors import UsageError
from ...models import JsonValue
from ...process.temporary import temporary_files
from .rows import ABSENT, Invalid, RawRows, Rows
from .typed_rows import CHUNK, RowsSource, plain_value, typed_rows

_NAME: Final = "the given rows"
_REMEDY: Final = "Give mappings such as {'customUserId': 'user-42'}, a QuerySet's `.values()`, or a DataFrame."


class TakenRows(ABC):
    """Rows of a program that can be read more than once."""

    @abstractmethod
    def read(self, id_names: Sequence[str]) -> Rows:
        """Start reading from the first row."""

    @abstractmethod
    def close(self) -> None:
        """Release the rows."""


@runtime_checkable
class ArrowStream(Protocol):
    """An object with the Arrow PyCapsule interface: a pandas or polars DataFrame, or an Arrow table."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a capsule with the stream."""


AudienceRows = Iterable[Mapping[str, Any]] | ArrowStream | TakenRows
"""The types that a program may pass as an audience: mappings, a QuerySet's `.values()`, or a DataFrame."""


def take(rows: AudienceRows) -> TakenRows:
    """Take over the rows, in the calling thread: an open file or connection behind them may belong to that thread.

    Mappings are written to a temporary file, so that memory does not grow with them and a generator can be read twice.

    Raises:
        UsageError: usage, for any other type.
    """
    if isinstance(rows, TakenRows):
        return rows
    if isinstance(rows, ArrowStream):
        return _Table(rows)
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
        message = f"The audience must be rows, not {type(rows).__name__}."
        raise UsageError(message, code="usage", remedy=_REMEDY)
    stream = getattr(rows, "iterator", None)  # a QuerySet otherwise keeps all its rows in memory
    spool = _Spool()
    try:
        spool.fill(iter(rows) if stream is None else iter(stream(chunk_size=CHUNK)))
    except BaseException:
        spool.close()
        raise
    return spool


class _Table(TakenRows):
    def __init__(self, table: ArrowStream) -> None:
        self._table = table

    def read(self, id_names: Sequence[str]) -> Rows:
        from .arrow_rows import open_stream  # pyarrow takes long to import

        return open_stream(RowsSource(_NAME), self._table, id_names)

    def close(self) -> None:
        pass


class _Spool(TakenRows):
    def __init__(self) -> None:
        with temporary_files():
            self._file = TemporaryFile()  # noqa: SIM115 - closed in `close`

    @temporary_files()
    def fill(self, rows: Iterator[object]) -> None:
        number = 0
        while chunk := list(islice(rows, CHUNK)):
            plain = [_mapping(row, at) for at, row in enumerate(chunk, number + 1)]
            number += len(chunk)
            pickle.dump(plain, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._file.flush()

    def read(self, id_names: Sequence[str]) -> Rows:
        return _SpooledRows(self._chunks(), id_names)

    def close(self) -> None:
        self._file.close()

    def _chunks(self) -> Iterator[list[dict[str, JsonValue]]]:
        self._file.seek(0)
        while True:
            try:
                yield pickle.load(self._file)  # noqa: S301 - an unnamed file that this process wrote
            except EOFError:
                return


def _mapping(row: object, number: int) -> dict[str, JsonValue]:
    if isinstance(row, Mapping):
        return {str(key): plain_value(value) for key, value in row.items()}
    message = f"Row {number} of the audience must be a mapping, not {type(row).__name__}."
    raise UsageError(message, code="usage", remedy=_REMEDY)


class _SpooledRows:
    columns = None
    is_plain = False

    def __init__(self, chunks: Iterator[list[dict[str, JsonValue]]], id_names: Sequence[str]) -> None:
        self.source = RowsSource(_NAME)
        self._chunks = chunks
        self._id_names = id_names
        self._found: str | None = None

    @property
    def id_name(self) -> str:
        return self._found or self._id_names[0]

    def chunks(self, wanted: Sequence[str]) -> Iterator[RawRows]:
        first = 1
        for rows in self._chunks:
            if self._found is None:
                self._found = next((name for name in self._id_names if any(name in row for row in rows)), None)
            yield self._chunk(first, rows, wanted)
            first += len(rows)

    def _chunk(self, first: int, rows: list[dict[str, JsonValue]], wanted: Sequence[str]) -> RawRows:
        name = self.id_name
        found = [row.get(name, ABSENT) for row in rows]
        if ABSENT in found:
            why = f"has no key {name!r}"
            unread = [Invalid(first + at, "", why) for at, each in enumerate(found) if each is ABSENT]
            kept = [at for at, each in enumerate(found) if each is not ABSENT]
        else:
            unread, kept = [], list(range(len(rows)))
        columns = [[rows[at].get(key, ABSENT) for at in kept] for key in wanted]
        raw = typed_rows(first, [found[at] for at in kept], columns, self.source)
        return RawRows([first + at for at in kept], raw.ids, raw.values, unread) if unread else raw

    def close(self) -> None:
        """Do nothing: the caller closes the rows."""
