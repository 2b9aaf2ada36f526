"""The source of an audience: its name, its digest for the pins, and the share that has been read.

The bytes of a file or of standard input are counted, digested and, if needed, decompressed while they are read.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import select
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from ...errors import CampaignError
from ...files import NotRegular, open_regular
from ...printable import printable

_GZIP_MAGIC: Final = b"\x1f\x8b"
_DIGEST_BYTES: Final = 32
_BUFFER: Final = 1 << 16
_LOOK_SECONDS: Final = 0.2
EXPORT_AGAIN: Final = "Export the file again."


Stopped = Callable[[], bool]
"""Returns True to stop reading before the end."""


class Source(Protocol):
    """The source of the rows of an audience.

    Attributes:
        name: for messages and locations.
        when_empty: the remedy if there are no rows.
    """

    name: str
    when_empty: str

    @property
    def digest(self) -> str:
        """The hash, in hex, of everything read so far; of the whole audience after the last row."""

    @property
    def share_read(self) -> float | None:
        """The share that has been read, from 0 to 1; None if unknown."""

    def refusal(self, message: str, line: int = 1, column: int = 1, remedy: str | None = None) -> CampaignError:
        """Return the error for a fault at a place in the audience."""

    def close(self) -> None:
        """Close what is open; standard input stays open."""


class _Tap(io.RawIOBase):
    """Counts and digests the bytes that pass through."""

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        self._stream = stream
        self.hash = _new_hash()
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # Buffer, from Python 3.12
        data = self._stream.read(len(buffer)) or b""
        self.hash.update(data)
        self.count += len(data)
        buffer[: len(data)] = data
        return len(data)


class _StandardInput(io.RawIOBase):
    """Standard input; the caller can stop waiting for bytes that may never come."""

    def __init__(self, stopped: Stopped) -> None:
        self._descriptor = sys.stdin.fileno()
        self._stopped = stopped

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # Buffer, from Python 3.12
        while not select.select([self._descriptor], [], [], _LOOK_SECONDS)[0]:
            if self._stopped():
                raise CampaignError("Reading the audience was interrupted; nothing was sent.", code="interrupted")
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)


class ByteSource:
    """The bytes of a file or of standard input; the constructor opens it.

    Args:
        file: what to read; None for standard input.
        stdin: used instead of the standard input of the process.
        stopped: checked while waiting for standard input; True ends the wait.

    Attributes:
        name: of the file, for messages and locations.

    Raises:
        CampaignError: file_unreadable.
    """

    when_empty = EXPORT_AGAIN

    def __init__(self, file: Path | None, stdin: BinaryIO | None = None, stopped: Stopped = lambda: False) -> None:
        self.name: str = "-" if file is None else printable(str(file))
        self._total_bytes: int | None = None
        self._file: io.FileIO | None = None
        if file is not None:
            self._file, self._total_bytes = open_file(file)
        self._tap = _Tap(self._file or stdin or _StandardInput(stopped))
        buffered = io.BufferedReader(self._tap, _BUFFER)
        try:
            with self._guarded():
                magic = buffered.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            zipped = magic or (file is not None and file.suffix.lower() == ".gz")
            self._stream = gzip.GzipFile(fileobj=buffered, mode="rb") if zipped else buffered
        except BaseException:
            self.close()
            raise

    @property
    def share_read(self) -> float | None:
        """The share of the file (for .gz, of the compressed file) that has been read; None for standard input."""
        return min(self._tap.count / self._total_bytes, 1.0) if self._total_bytes else None

    @property
    def digest(self) -> str:
        """The BLAKE2b hash, in hex, of everything read so far."""
        return self._tap.hash.hexdigest()

    def read(self, size: int) -> bytes:
        """Return up to `size` more bytes; nothing at the end.

        Raises:
            CampaignError: file_unreadable; audience_invalid for a damaged or incomplete gzip file.
        """
        with self._guarded():
            return self._stream.read(size)

    def peek(self) -> bytes:
        """Return some of the next bytes without consuming them."""
        with self._guarded():
            return self._stream.peek(1)

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._file is not None:
            self._file.close()

    def refusal(self, message: str, line: int = 1, column: int = 1, remedy: str | None = None) -> CampaignError:
        """Return the error for a fault at a place in the file."""
        return refusal_at(f"{self.name}:{line}:{column}", message, remedy)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            message = f"{self.name} is a damaged or incomplete gzip file: {error}"
            raise CampaignError(message, code="audience_invalid", remedy="Create or copy the file again.") from error
        except OSError as error:
            raise _unreadable(self.name, error) from error


class FileSource:
    """A file of a format whose parts are read in any order.

    Args:
        file: what to read.

    Attributes:
        name: of the file, for messages and locations.
        stream: the file, open.
        share_read: set by the reader of the format.

    Raises:
        CampaignError: file_unreadable.
    """

    when_empty = EXPORT_AGAIN

    def __init__(self, file: Path) -> None:
        self.name: str = printable(str(file))
        self.stream: io.FileIO = open_file(file)[0]
        self.share_read: float | None = 0.0

    @property
    def digest(self) -> str:
        """The BLAKE2b hash, in hex, of the whole file."""
        self.stream.seek(0)
        return _digest(self.stream, self.name)

    def refusal(self, message: str, line: int = 1, column: int = 1, remedy: str | None = None) -> CampaignError:
        """Return the error for a fault at a place in the file."""
        return refusal_at(f"{self.name}:{line}:{column}", message, remedy)

    def close(self) -> None:
        """Close the file."""
        self.stream.close()


def refusal_at(location: str, message: str, remedy: str | None) -> CampaignError:
    """Return the error for a fault at a location in an audience."""
    return CampaignError(message, code="audience_invalid", location=location, remedy=remedy)


def digest_of(file: Path) -> str:
    """Return the final `Source.digest` of a file.

    Raises:
        CampaignError: file_unreadable.
    """
    stream, _ = open_file(file)
    with stream:
        return _digest(stream, printable(str(file)))


def _digest(stream: io.FileIO, name: str) -> str:
    try:
        return hashlib.file_digest(stream, _new_hash).hexdigest()
    except OSError as error:
        raise _unreadable(name, error) from error


def open_file(file: Path) -> tuple[io.FileIO, int]:
    """Open a file and return it with its size.

    Raises:
        CampaignError: file_unreadable.
    """
    try:
        stream = open_regular(file)
    except OSError as error:
        raise _unreadable(printable(str(file)), error) from error
    return stream, os.fstat(stream.fileno()).st_size


def _unreadable(name: str, error: OSError) -> CampaignError:
    remedy = None
    if isinstance(error, NotRegular):
        remedy = 'Name a regular file, or write "-" and pipe the audience in.'
    elif isinstance(error, FileNotFoundError):
        remedy = "Correct the path; in a campaign file, a relative path starts at the folder of that file."
    return CampaignError(f"{name} cannot be read: {error.strerror}", code="file_unreadable", remedy=remedy)


def _new_hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGEST_BYTES)
