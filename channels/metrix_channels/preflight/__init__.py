"""All checks that are possible before sending, each with a remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .files import WatchPreflight, check_files
from .result import Preflight

if TYPE_CHECKING:
    from .run import run_preflight
else:

    def __getattr__(name):
        # Imported on demand: checks of files alone need neither a ledger nor a connection.
        if name != "run_preflight":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .run import run_preflight

        return run_preflight


__all__ = ["Preflight", "WatchPreflight", "check_files", "run_preflight"]
