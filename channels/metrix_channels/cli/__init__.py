"""The command line: one module a verb group, no logic of its own."""

from __future__ import annotations

import gc
import sys
from importlib.util import find_spec

from ..version import __version__


def main() -> None:
    """Run the command line with the process's arguments, and end the process with its exit status."""
    if sys.argv[1:] == ["--version"] and _print_version():
        return
    from ..errors import MetrixChannelsError
    from ..process.platform import require_posix

    if missing := [package for package in ("typer", "rich") if find_spec(package) is None]:
        from ..errors.extras import extra_remedy

        message = f"The command line needs the package {missing[0]!r}, which is not installed."
        sys.stderr.write(f"{message} [extra_missing]\n{extra_remedy('cli')}\n")
        sys.exit(2)
    try:
        require_posix()
    except MetrixChannelsError as error:
        sys.stderr.write(f"{error.message} [{error.code}]\n{error.remedy}\n")
        sys.exit(2)
    try:
        from .application import run  # on demand: the version needs none of it
        from .ui.output import prepare_streams
    except KeyboardInterrupt:
        sys.exit(4)
    prepare_streams()
    status = run(sys.argv[1:])
    # What is left goes with the process: the search for cycles in it takes a sixth of a short verb's time.
    gc.freeze()
    sys.exit(status)


def _print_version() -> bool:
    """Print the version without loading anything; False when stdout takes nothing: `run` knows what to say of that."""
    try:
        sys.stdout.write(f"{__version__}\n")
        sys.stdout.flush()
    except (AttributeError, OSError):
        return False
    return True
