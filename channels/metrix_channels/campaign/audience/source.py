"""The bytes of an audience: from a file or standard input, counted and digested on the way, gunzipped where needed."""

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
from typing import BinaryIO, Final

from ...errors import CampaignError
from ...files import NotRegular, open_regular
from ...printable import printable

_GZIP_MAGIC: Final = b"\x1f\x8b"
_DIGEST_BYTES: Final = 32
_BUFFER: Final = 1 << 16
_LOOK_SECONDS: Final = 0.2


Stopped = Callable[[], bool]
"""Says whether to read no further, though there may be more to come."""


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
        total_bytes: the file's size; None for standard input.

    Raises:
        CampaignError: file_unreadable.
    """

    def __init__(self, file: Path | None, stdin: BinaryIO | None = None, stopped: Stopped = lambda: False) -> None:
        self.name: str = "-" if file is None else printable(str(file))
        self.total_bytes: int | None = None
        self._file: io.FileIO | None = None
        if file is not None:
            self._file, self.total_bytes = _opened(file)
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
    def read_bytes(self) -> int:
        """Bytes of the file read so far."""
        return self._tap.count

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

    def refusal(self, message: str, line: int, column: int = 1, remedy: str | None = None) -> CampaignError:
        """Build the error that says where the audience is not as it should be."""
        location = f"{self.name}:{line}:{column}"
        return CampaignError(message, code="audience_invalid", location=location, remedy=remedy)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            message = f"{self.name} is a broken gzip, or not all of it arrived: {error}"
            raise CampaignError(message, code="audience_invalid", remedy="Make or copy the file again.") from error
        except OSError as error:
            raise _unreadable(self.name, error) from error


def digest_of(file: Path) -> str:
    """Return what `ByteSource.digest` says at the end of a file.

    Raises:
        CampaignError: file_unreadable.
    """
    stream, _ = _opened(file)
    with stream:
        try:
            return hashlib.file_digest(stream, _new_hash).hexdigest()
        except OSError as error:
            raise _unreadable(printable(str(file)), error) from error


def _opened(file: Path) -> tuple[io.FileIO, int]:
    try:
        stream = open_regular(file)
    except OSError as error:
        raise _unreadable(printable(str(file)), error) from error
    return stream, os.fstat(stream.fileno()).st_size


def _unreadable(name: str, error: OSError) -> CampaignError:
    remedy = 'Name a file, or pipe the audience in and write "-".' if isinstance(error, NotRegular) else None
    return CampaignError(f"{name} cannot be read: {error.strerror}", code="file_unreadable", remedy=remedy)


def _new_hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGEST_BYTES)
