"""The command line: one module per verb group, without business logic."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from ..version import __version__


def main() -> None:
    """Run the command line with the arguments of the process, and exit with its status."""
    if sys.argv[1:] == ["--version"] and _print_version():
        return
    # An audience's rows are many tuples and no cycles: the search for cycles took up to a third of a plan's time.
    gc.set_threshold(20_000)
    status = run_command(sys.argv[1:])
    # Skip the final garbage collection: it takes a sixth of the time of a short verb.
    gc.freeze()
    sys.exit(status)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; see `application.run`.

    Args:
        arguments: a verb and its options; the shared options may stand before or after the verb.
    """
    from ..errors import MetrixChannelsError
    from ..process.platform import require_posix

    if missing := [package for package in ("typer", "rich") if find_spec(package) is None]:
        from ..errors.extras import extra_remedy

        message = f"The command line needs the package {missing[0]!r}, which is not installed."
        sys.stderr.write(f"{message} [extra_missing]\n{extra_remedy('cli')}\n")
        return 2
    try:
        require_posix()
    except MetrixChannelsError as error:
        sys.stderr.write(f"{error.message} [{error.code}]\n{error.remedy}\n")
        return 2
    try:
        from .application import run  # on demand: the version needs none of it
        from .ui.output import prepare_streams
    except KeyboardInterrupt:
        return 4
    prepare_streams()
    return run(arguments)


def _print_version() -> bool:
    """Print the version without loading other modules; False if stdout cannot be written, which `run` reports."""
    try:
        sys.stdout.write(f"{__version__}\n")
        sys.stdout.flush()
    except (AttributeError, OSError):
        return False
    return True
