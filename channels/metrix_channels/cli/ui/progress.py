"""A bar on stderr for work that is counted, where somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from .output import Output

Move = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


@contextmanager
def progress_bar(output: Output) -> Iterator[Move | None]:
    """Show a bar for as long as the block lasts; None with --json, and where stderr is no terminal."""
    if output.as_json or not output.err.is_terminal:
        yield None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.err, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, total=total, completed=done)
