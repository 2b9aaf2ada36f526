"""The command line: one module a verb group, no logic of its own."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from ..version import __version__


def main() -> None:
    """Run the command line with the process's arguments, and end the process with its exit status."""
    if sys.argv[1:] == ["--version"] and _print_version():
        return
    # An audience's rows are many tuples and no cycles: the search for cycles took up to a third of a plan's time.
    gc.set_threshold(20_000)
    status = run_command(sys.argv[1:])
    # What is left goes with the process: the search for cycles in it takes a sixth of a short verb's time.
    gc.freeze()
    sys.exit(status)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; see `run` of the module `application`.

    Args:
        arguments: a verb and its options, with the shared options before or after it.
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
    """Print the version without loading anything; False when stdout takes nothing: `run` knows what to say of that."""
    try:
        sys.stdout.write(f"{__version__}\n")
        sys.stdout.flush()
    except (AttributeError, OSError):
        return False
    return True
