"""Shows the log lines of the library on stderr for -v and -vv, while one command runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class _Lines(logging.StreamHandler):  # type: ignore[type-arg]
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Drop the line without a traceback, because stderr is closed."""


@contextmanager
def logged(shared_options: Sequence[str]) -> Iterator[None]:
    """Log to stderr while the block runs: nothing by default, the main steps with -v, everything with -vv."""
    verbosity = sum(_weight(option) for option in shared_options)
    if not verbosity:
        yield
        return
    with shown(logging.INFO if verbosity == 1 else logging.DEBUG):
        yield


@contextmanager
def shown(level: int) -> Iterator[None]:
    """Show log lines from a level on stderr while the block runs; no line is shown twice."""
    logger = logging.getLogger("metrix_channels")
    if any(isinstance(handler, _Lines) for handler in logger.handlers):
        yield
        return
    handler = _Lines()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _weight(option: str) -> int:
    if option == "--verbose":
        return 1
    return len(option) - 1 if option.startswith("-v") else 0
