"""Reads many users or events from records or a file of JSON Lines: once to check all of them, then to send them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import EventInvalid, UsageError
from ...events import Event, Reader
from ...files import open_regular, remedy_for
from ...json_records import read_record
from ...printable import quoted
from ...process import wall_clock

Record = Mapping[str, Any]
Source = str | os.PathLike[str] | Sequence[Record]
"""The path of a file with one JSON object on each line, or the records themselves."""


def events_of(source: Source, read: Reader) -> tuple[int, Iterator[tuple[int, Event]]]:
    """Check every record, then return them. Memory does not grow with the file.

    Returns:
        The number of events, and an iterator of events with their numbers, from 1; in a file, their lines.

    Raises:
        EventInvalid: the first record at fault, with `FILE:LINE` as its location; nothing was returned.
        UsageError: file_unreadable.
    """
    count = sum(1 for _ in _events(source, read))
    return count, _events(source, read)


def _events(source: Source, read: Reader) -> Iterator[tuple[int, Event]]:
    path = Path(source) if isinstance(source, (str, os.PathLike)) else None
    records = _lines(path) if path is not None else enumerate(_records(source), start=1)
    for number, record in records:
        try:
            yield number, read(record, wall_clock.milliseconds())
        except EventInvalid as error:
            where = f"{path}:{number}" if path is not None else f"record {number}"
            raise EventInvalid(error.message, code=error.code, remedy=error.remedy, location=where) from None


def _records(source: Any) -> Iterable[Record]:
    if not isinstance(source, Sequence):
        raise TypeError("records must be a list or a tuple, because all are checked before the first is sent")
    return source


def _lines(path: Path) -> Iterator[tuple[int, Record]]:
    try:
        with io.TextIOWrapper(io.BufferedReader(open_regular(path)), "utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _record(line, f"{path}:{number}")
    except UnicodeError:
        raise UsageError(f"{quoted(str(path))} cannot be read: it is not UTF-8.", code="file_unreadable") from None
    except OSError as error:
        message = f"{quoted(str(path))} cannot be read: {error.strerror}."
        raise UsageError(message, code="file_unreadable", remedy=remedy_for(error)) from error


def _record(line: str, where: str) -> Record:
    try:
        return read_record(line)
    except ValueError as error:
        raise EventInvalid(f"the line {error}", code="record_invalid", location=where) from None
