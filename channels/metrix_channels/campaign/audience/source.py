"""Where an audience comes from: its name, what it is pinned to, and how much of it has been read.

A file or standard input is bytes, counted and digested on the way, and gunzipped where needed.
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


Stopped = Callable[[], bool]
"""Says whether to read no further, though there may be more to come."""


class Source(Protocol):
    """Where the rows of an audience come from.

    Attributes:
        name: for messages and locations.
    """

    name: str

    @property
    def digest(self) -> str:
        """In hex, of all that was read so far: of the whole, once the rows are exhausted."""

    @property
    def share_read(self) -> float | None:
        """Which part has been read, from 0 to 1; None where that is not known."""

    def refusal(self, message: str, line: int = 1, column: int = 1, remedy: str | None = None) -> CampaignError:
        """Build the error that says where the audience is not as it should be."""

    def close(self) -> None:
        """Close what is open; standard input stays open."""


class _Tap(io.RawIOBase):
    """Counts and digests what flows through."""

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
    """Standard input, whose next bytes may never come: whoever waits for them can be told to stop."""

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
    """Opened when it is made.

    Args:
        file: what to read; None for standard input.
        stdin: in place of the process's own.
        stopped: asked while standard input keeps its reader waiting.

    Attributes:
        name: of the file, for messages and locations.

    Raises:
        CampaignError: file_unreadable.
    """

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
        """Which part of the file has been read, of the .gz itself; None for standard input."""
        return min(self._tap.count / self._total_bytes, 1.0) if self._total_bytes else None

    @property
    def digest(self) -> str:
        """BLAKE2b, in hex, of what was read so far."""
        return self._tap.hash.hexdigest()

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size` of them; nothing at the end.

        Raises:
            CampaignError: file_unreadable; audience_invalid, for a gzip that is broken or cut off.
        """
        with self._guarded():
            return self._stream.read(size)

    def peek(self) -> bytes:
        """Return some of the next bytes, and leave them there."""
        with self._guarded():
            return self._stream.peek(1)

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._file is not None:
            self._file.close()

    def refusal(self, message: str, line: int = 1, column: int = 1, remedy: str | None = None) -> CampaignError:
        """Build the error that says where the file is not as it should be."""
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
    """A file whose format needs it whole: its parts are read in any order.

    Args:
        file: what to read.

    Attributes:
        name: of the file, for messages and locations.
        stream: the file, open.
        share_read: set by the reader of the format.

    Raises:
        CampaignError: file_unreadable.
    """

    def __init__(self, file: Path) -> None:
        self.name: str = printable(str(file))
        self.stream: io.FileIO = open_file(file)[0]
        self.share_read: float | None = 0.0

    @property
    def digest(self) -> str:
        """BLAKE2b, in hex, of the whole file."""
        self.stream.seek(0)
        return _digest(self.stream, self.name)

    def refusal(self, message: str, line: int = 1, column: int = 1, remedy: str | None = None) -> CampaignError:
        """Build the error that says where the file is not as it should be."""
        return refusal_at(f"{self.name}:{line}:{column}", message, remedy)

    def close(self) -> None:
        """Close the file."""
        self.stream.close()


def refusal_at(location: str, message: str, remedy: str | None) -> CampaignError:
    """Build the error that says where an audience is not as it should be."""
    return CampaignError(message, code="audience_invalid", location=location, remedy=remedy)


def digest_of(file: Path) -> str:
    """Return what `Source.digest` says at the end of a file.

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
    """Open a file and return its size with it.

    Raises:
        CampaignError: file_unreadable.
    """
    try:
        stream = open_regular(file)
    except OSError as error:
        raise _unreadable(printable(str(file)), error) from error
    return stream, os.fstat(stream.fileno()).st_size


def _unreadable(name: str, error: OSError) -> CampaignError:
    remedy = 'Name a regular file, or write "-" and pipe the audience in.' if isinstance(error, NotRegular) else None
    return CampaignError(f"{name} cannot be read: {error.strerror}", code="file_unreadable", remedy=remedy)


def _new_hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGEST_BYTES)
