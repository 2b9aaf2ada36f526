"""The command line: one module a verb group, no logic of its own."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line with the process's arguments, and end the process with its exit status."""
    try:
        from .application import run
        from .ui.output import prepare_streams
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.stderr.write(
            "The command line needs the extra `cli` [extra_missing]\nInstall it: pip install 'metrix-channels[cli]'\n"
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(4)
    prepare_streams()
    sys.exit(run(sys.argv[1:]))
