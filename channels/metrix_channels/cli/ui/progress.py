"""A progress bar on stderr for counted work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from .output import Output

Move = Callable[[int, int], None]
"""Called with the number of items done and the total."""


@contextmanager
def progress_bar(output: Output) -> Iterator[Move | None]:
    """Show a bar while the block runs; None with --json or if stderr is not a terminal."""
    if output.as_json or not output.err.is_terminal:
        yield None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.err, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, total=total, completed=done)
