"""A configuration that can be edited while the process runs: a withdrawn verification takes effect at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..errors import ConfigError
from ..printable import printable
from .loading import make_config
from .models import Config
from .strict_yaml import read_yaml

_Stamp = tuple[int, int, int]
_RECENT_SECONDS: Final = 0.01
_NEVER: Final = float("-inf")


class ConfigFile:
    """A configuration file that is read again after each change. It is safe to share between threads.

    Args:
        path: the file; a relative path starts at the folder that is current now.
        environ: the values of `${NAME}`.
    """

    def __init__(self, path: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.path = path
        self._absolute = path.absolute()
        self._place = str(self._absolute)
        self._environ = environ
        self._lock = threading.Lock()
        self._loaded: tuple[_Stamp, Config] | None = None
        self._looked_at = _NEVER

    def current(self) -> Config:
        """Return the configuration that the file contains now.

        Raises:
            ConfigError: those of `load_config`, at each call while the file has errors.
        """
        with self._lock:
            # Taken before reading, so that an edit in between changes the stamp at the next call.
            looked_at, self._looked_at = time.monotonic(), _NEVER
            stamp = self._stamp()
            if self._loaded is None or self._loaded[0] != stamp:
                self._loaded = stamp, self.load()
            self._looked_at = looked_at
            return self._loaded[1]

    def load(self) -> Config:
        """Read the file.

        Raises:
            ConfigError: see `current`.
        """
        return make_config(read_yaml(self._absolute, source=str(self.path)), self._absolute, self._environ)

    def recent(self) -> Config:
        """Return the configuration that the file contained at most 10 ms ago: a look at a file lets other threads run.

        Raises:
            ConfigError: see `current`.
        """
        if self._loaded is not None and time.monotonic() - self._looked_at < _RECENT_SECONDS:
            return self._loaded[1]
        return self.current()

    def forget_look(self) -> None:
        """Let the next `recent` look at the file, however short ago the last look was."""
        self._looked_at = _NEVER

    def _stamp(self) -> _Stamp:
        try:
            stat = os.stat(self._place)  # noqa: PTH116 - for each message, and a Path is slower
        except FileNotFoundError as error:
            message = f"the file {printable(str(self.path))} no longer exists"
            raise ConfigError(message, code="config_missing") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "the path is not valid"
            message = f"{printable(str(self.path))} cannot be read: {reason}"
            raise ConfigError(message, code="file_unreadable") from error
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
