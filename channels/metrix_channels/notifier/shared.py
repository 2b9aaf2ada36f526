"""One notifier a process, made when it is first asked for: what web frameworks and task queues share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..config import find_config
from .synchronous import Notifier

_notifiers: dict[Path, Notifier] = {}
_find: Callable[[], Path] = find_config


def get_notifier() -> Notifier:
    """Return the notifier of this process. All threads share it; a forked child opens its own ledger and connections.

    Its configuration is that of the Django project where there is one, else the file that `$METRIX_CHANNELS_CONFIG`
    names, else ./channels.yaml. It is made at the first call and opens the ledger when it first sends.

    Raises:
        ConfigError: the configuration is missing or wrong.
    """
    path = _find().absolute()
    # No lock: a fork would leave it locked. Of two that threads make at once the second goes away, unused.
    return _notifiers.get(path) or _notifiers.setdefault(path, Notifier.from_config(path))


def use_config(find: Callable[[], Path]) -> None:
    """Let `find` say from now on which file is the configuration; it is asked at every call."""
    global _find
    _find = find


def close_notifiers() -> None:
    """Close every notifier that was made here; the next call makes a new one."""
    while _notifiers:
        _notifiers.popitem()[1].close()
