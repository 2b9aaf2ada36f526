"""What -v and -vv show: the library's log lines on stderr, for as long as one command runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class _Lines(logging.StreamHandler):  # type: ignore[type-arg]
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Drop the line: stderr is closed, and a traceback about that would help nobody."""


@contextmanager
def logged(shared_options: Sequence[str]) -> Iterator[None]:
    """Log to stderr while the block runs: nothing, or with one -v what is done, with two all of it."""
    verbosity = sum(_weight(option) for option in shared_options)
    if not verbosity:
        yield
        return
    with shown(logging.INFO if verbosity == 1 else logging.DEBUG):
        yield


@contextmanager
def shown(level: int) -> Iterator[None]:
    """Log lines from a level on to stderr while the block runs; those that are shown already are not shown twice."""
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
