"""Reads an audience once, in chunks: rows of a file, of standard input, of a database or of a Python program."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from attrs import frozen

from ...errors import CampaignError
from ...models import JsonValue
from .csv_rows import DELIMITERS, CsvRows
from .header import named
from .jsonl_rows import JsonlRows
from .rows import ABSENT, HIDDEN_ROWS, Chunk, Invalid, Rows, checked
from .source import ByteSource, FileSource, Stopped, digest_of

__all__ = ["ABSENT", "HIDDEN_ROWS", "Audience", "Chunk", "Invalid", "Reading", "audience_digest", "open_audience"]

_BLANK = b"\xef\xbb\xbf \t\r\n"
_ENDINGS: Final = ".csv, .tsv or .jsonl (each also with .gz), .xlsx or .parquet"


@frozen
class Reading:
    """How to read a file; None: detect it from the file.

    Attributes:
        delimiter: between the fields of a CSV or TSV.
        encoding: of a CSV, TSV or JSONL; a byte order mark takes precedence.
        sheet: of a workbook.
    """

    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None


class Audience:
    """An open audience whose header has been read. Memory does not grow with the number of rows.

    Args:
        rows: their reader.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The name for messages: the path of the file, or a description."""
        return self._rows.source.name

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The header; None where each row has its own keys, as in JSONL."""
        return None if self._rows.columns is None else named(self._rows.columns)

    @property
    def id_name(self) -> str:
        """The column or key of the customUserId; in JSONL it is known after the first chunk."""
        return self._rows.id_name

    @property
    def is_plain(self) -> bool:
        """Whether every value is text."""
        return self._rows.is_plain

    @property
    def share_read(self) -> float | None:
        """The share that has been read, from 0 to 1; None if unknown."""
        return self._rows.source.share_read

    @property
    def cautions(self) -> dict[str, int]:
        """Cautions about the rows read so far: the number of rows by code."""
        return getattr(self._rows, "cautions", {})

    @property
    def digest(self) -> str:
        """The hash, in hex, of everything read so far; of the whole audience after the last chunk."""
        return self._rows.source.digest

    def chunks(self, wanted: Sequence[str], *, may_be_empty: bool = False) -> Iterator[Chunk]:
        """Read the rows in chunks of a thousand or more.

        Args:
            wanted: the columns or keys to read; if the audience has `columns`, a subset of them.
            may_be_empty: accept a header without rows.

        Raises:
            CampaignError: audience_invalid, also when there are no rows at all; file_unreadable.
        """
        rows = 0
        for raw in self._rows.chunks(wanted):
            chunk = checked(raw, self._rows.id_name)
            rows += chunk.rows
            yield chunk
        if not (rows or may_be_empty):
            raise self._rows.source.refusal("it contains no recipients", 1, remedy=self._rows.source.when_empty)

    def values(self, names: Collection[str]) -> Iterator[tuple[int, str, dict[str, JsonValue]]]:
        """Read the valid rows, one by one.

        Args:
            names: the values to read, such as a template's variables; a row may lack some of them.

        Returns:
            For each row: its number (from 1, without the header and blank lines), its customUserId and its values.

        Raises:
            CampaignError: as `chunks`.
        """
        wanted = self.wanted(names)
        before = 1
        for chunk in self.chunks(wanted):
            lines = sorted([*chunk.lines, *(each.line for each in chunk.invalid)])
            numbers = dict(zip(lines, range(before, before + chunk.rows), strict=True))
            before += chunk.rows
            for at, line in enumerate(chunk.lines):
                found = zip(wanted, chunk.values[at] if wanted else (), strict=True)
                values = {name: value for name, value in found if value is not ABSENT}
                yield numbers[line], chunk.recipients[at], values

    def wanted(self, names: Collection[str]) -> list[str]:
        """Return the names that `chunks` accepts, sorted."""
        return sorted(names if self.columns is None else set(names).intersection(self.columns))

    def close(self) -> None:
        """Close what is open; standard input stays open."""
        self._rows.close()


def open_audience(
    file: Path | None,
    *id_names: str,
    reading: Reading = Reading(),
    stdin: BinaryIO | None = None,
    stopped: Stopped = lambda: False,
) -> Audience:
    """Open a file, or standard input, as an audience.

    Standard input is CSV, or JSONL if its first non-blank character is `{`.

    Args:
        file: what to read; None for standard input.
        id_names: possible columns or keys of the customUserId; the first that exists is used.
        reading: how to read it.
        stdin: used instead of the standard input of the process.
        stopped: checked while waiting for standard input; True ends the wait.

    Raises:
        CampaignError: file_unreadable; audience_invalid, with the place in the file; interrupted.
        ConfigError: extra_missing.
    """
    kind = None if file is None else _kind(file)
    if file is not None and kind in ("xlsx", "parquet"):
        return Audience(_of_whole_file(FileSource(file), kind, id_names, reading))
    source = ByteSource(file, stdin, stopped)
    try:
        return Audience(_of_bytes(source, kind, id_names, reading))
    except BaseException:
        source.close()
        raise


def audience_digest(path: Path) -> str:
    """Return the final `Audience.digest` of a file without reading its rows.

    Raises:
        CampaignError: file_unreadable.
    """
    return digest_of(path)


def _kind(file: Path) -> str:
    name = file.name.lower()
    for kind in ("csv", "tsv", "jsonl"):
        if name.removesuffix(".gz").endswith(f".{kind}"):
            return kind
    for kind in ("xlsx", "parquet"):
        if name.endswith(f".{kind}"):
            return kind
    remedy = "Rename the file so that its name ends with its format, such as audience.csv."
    raise CampaignError(
        f"the name of the file {file.name!r} must end in {_ENDINGS}", code="audience_invalid", remedy=remedy
    )


def _of_whole_file(source: FileSource, kind: str, id_names: Sequence[str], reading: Reading) -> Rows:
    try:
        if kind == "xlsx":
            # Imported only for workbooks: the module is large, and most audiences are CSV.
            from .workbook.rows import WorkbookRows

            return WorkbookRows(source, id_names, reading.sheet)
        from .arrow_rows import open_parquet  # pyarrow takes long to import

        return open_parquet(source, id_names)
    except BaseException:
        source.close()
        raise


def _of_bytes(source: ByteSource, kind: str | None, id_names: Sequence[str], reading: Reading) -> Rows:
    if kind is None:
        kind = "jsonl" if source.peek().lstrip(_BLANK).startswith(b"{") else "csv"
    if kind == "jsonl":
        return JsonlRows(source, id_names, reading.encoding)
    likely = "".join(sorted(DELIMITERS, key="\t".__ne__)) if kind == "tsv" else DELIMITERS
    return CsvRows(source, id_names, reading.delimiter or likely, reading.encoding)
