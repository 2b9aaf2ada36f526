"""Whom a campaign is for: the rows of a .csv, .tsv or .jsonl file, each also .gz, or of standard input, read once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ...errors import CampaignError
from ...models import JsonValue
from .csv_rows import CsvRows
from .jsonl_rows import JsonlRows
from .rows import ABSENT, Chunk, Invalid, Rows, checked
from .source import ByteSource, Stopped, digest_of

__all__ = ["ABSENT", "Audience", "Chunk", "Invalid", "audience_digest"]

_BLANK = b"\xef\xbb\xbf \t\r\n"


class Audience:
    """An open audience; its header has been read. Memory does not grow with its rows.

    Standard input is CSV, unless its first character that is not blank is `{`: then it is JSONL.

    Args:
        file: what to read; None for standard input.
        id_names: the column or key of the customUserId; of several, the first that there is.
        stdin: in place of the process's own.
        stopped: asked while standard input keeps its reader waiting.

    Raises:
        CampaignError: file_unreadable; audience_invalid, with the place in the file; interrupted.
    """

    def __init__(
        self, file: Path | None, *id_names: str, stdin: BinaryIO | None = None, stopped: Stopped = lambda: False
    ) -> None:
        kind = None if file is None else _kind(file)
        self._byte_source = ByteSource(file, stdin, stopped)
        try:
            self._rows = _reader(self._byte_source, kind, id_names)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The header of a CSV or TSV; None for JSONL, where each row has its own keys."""
        return self._rows.columns

    @property
    def read_bytes(self) -> int:
        """Bytes of the file read so far, of the .gz itself."""
        return self._byte_source.read_bytes

    @property
    def total_bytes(self) -> int | None:
        """The file's size; None for standard input."""
        return self._byte_source.total_bytes

    @property
    def digest(self) -> str:
        """BLAKE2b, in hex, of the bytes read so far: of the whole file, once the chunks are exhausted."""
        return self._byte_source.digest

    def chunks(self, wanted: Sequence[str], *, may_be_empty: bool = False) -> Iterator[Chunk]:
        """Read the rows, a thousand or more at a time.

        Args:
            wanted: the columns or keys whose values are wanted; of a CSV or TSV, some of `columns`.
            may_be_empty: a header alone is no mistake.

        Raises:
            CampaignError: audience_invalid, also when there are no rows at all; file_unreadable.
        """
        rows = 0
        for raw in self._rows.chunks(wanted):
            chunk = checked(raw, self._rows.id_name)
            rows += chunk.rows
            yield chunk
        if not (rows or may_be_empty):
            raise self._byte_source.refusal("it holds no recipients", 1, remedy="Export the file again.")

    def values(self, names: Collection[str]) -> Iterator[tuple[int, str, dict[str, JsonValue]]]:
        """Read the rows that can be sent to, one by one.

        Args:
            names: of values that are wanted, such as a template's variables; a row may be without some of them.

        Returns:
            Of each row its number (from 1, the header and blank lines not counted), its customUserId, and its values.

        Raises:
            CampaignError: as `chunks`.
        """
        wanted = sorted(names if self.columns is None else set(names).intersection(self.columns))
        before = 1
        for chunk in self.chunks(wanted):
            lines = sorted([*chunk.lines, *(each.line for each in chunk.invalid)])
            numbers = dict(zip(lines, range(before, before + chunk.rows), strict=True))
            before += chunk.rows
            for at, line in enumerate(chunk.lines):
                found = zip(wanted, chunk.values[at] if wanted else (), strict=True)
                values = {name: value for name, value in found if value is not ABSENT}
                yield numbers[line], chunk.recipients[at], values

    def close(self) -> None:
        """Close the file; standard input stays open."""
        self._byte_source.close()


def audience_digest(path: Path) -> str:
    """Return what `Audience.digest` says at the end of a file, without reading its rows.

    Raises:
        CampaignError: file_unreadable.
    """
    return digest_of(path)


def _kind(file: Path) -> str:
    name = file.name.lower().removesuffix(".gz")
    for kind in ("csv", "tsv", "jsonl"):
        if name.endswith(f".{kind}"):
            return kind
    message = f"the file {file.name!r} is none of .csv, .tsv and .jsonl, or one of these with .gz"
    raise CampaignError(message, code="audience_invalid", remedy="Give the file the ending of its format.")


def _reader(byte_source: ByteSource, kind: str | None, id_names: Sequence[str]) -> Rows:
    if kind is None:
        kind = "jsonl" if byte_source.peek().lstrip(_BLANK).startswith(b"{") else "csv"
    if kind == "jsonl":
        return JsonlRows(byte_source, id_names)
    return CsvRows(byte_source, id_names, "\t" if kind == "tsv" else ",")
