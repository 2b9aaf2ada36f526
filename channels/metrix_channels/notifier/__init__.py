"""The public API: Notifier for synchronous code, AsyncNotifier for asynchronous code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .asynchronous import AsyncNotifier
    from .synchronous import Notifier
else:

    def __getattr__(name):
        # On demand, because a dry run needs neither of them and no event loop.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import asynchronous, synchronous

        return getattr(synchronous if name == "Notifier" else asynchronous, name)


__all__ = ["AsyncNotifier", "Notifier"]
