"""The single notifier of a process, which web frameworks and task queues share. The first call creates it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..config import find_config
from .synchronous import Notifier

_notifiers: dict[Path, Notifier] = {}
_find: Callable[[], Path] = find_config


def get_notifier() -> Notifier:
    """Return the notifier of this process. All threads share it; a forked child opens its own ledger and connections.

    In a Django project it uses the project's configuration, otherwise the file in `$METRIX_CHANNELS_CONFIG` or
    ./channels.yaml. The first call creates it, and the first send opens the ledger.

    Raises:
        ConfigError: the configuration is missing or wrong.
    """
    path = _find().absolute()
    # No lock: a fork could leave it locked. If two threads create a notifier at once, the second is dropped unused.
    return _notifiers.get(path) or _notifiers.setdefault(path, Notifier.from_config(path))


def use_config(find: Callable[[], Path]) -> None:
    """Use `find` from now on to find the configuration; it is called every time."""
    global _find
    _find = find


def close_notifiers() -> None:
    """Close every notifier that `get_notifier` created; the next call creates a new one."""
    while _notifiers:
        _notifiers.popitem()[1].close()
