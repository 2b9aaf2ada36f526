"""Writes log lines with fields. They are silent unless the program configures logging.

The last lines are kept for a support bundle. The fields are attributes of the records, for handlers that write JSON,
and are at the end of the text for people: `attempt`, `channel`, `campaign`, `batch`, `recipients`, `code`, `status`,
`duration` (seconds). Callers must pass texts without secrets.
"""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime
from typing import Final

from .printable import printable

Field = str | int | float | None

_MOST_RECENT: Final = 100
_STACK: Final = 2

_logger = logging.getLogger("metrix_channels")
_logger.addHandler(logging.NullHandler())
_recent: deque[str] = deque(maxlen=_MOST_RECENT)


def is_heard(level: int) -> bool:
    """Tell whether `logging` writes lines of this level."""
    return _logger.isEnabledFor(level)


def say(level: int, message: str, **fields: Field) -> None:
    """Log a line, and keep it for a support bundle.

    Args:
        level: a level of `logging`.
        message: what happened, without any secret.
        fields: the fields; those that are None are left out.
    """
    known = {name: value for name, value in fields.items() if value is not None}
    line = " ".join([printable(message), *(f"{name}={_write_value(value)}" for name, value in known.items())])
    _recent.append(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z {logging.getLevelName(level)} {line}")
    if _logger.isEnabledFor(level):
        _logger.log(level, "%s", line, extra=known, stacklevel=_STACK)


def recent_lines() -> list[str]:
    """Return the last log lines of this process, whether or not `logging` wrote them."""
    return list(_recent)


def _write_value(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = printable(str(value))
    return text if text and " " not in text else repr(text)
