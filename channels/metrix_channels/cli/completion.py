"""Completion of verbs and options in bash, zsh and fish.

The script that `--show-completion` prints calls the command again for each completion, with what has been typed in
environment variables. typer answers; a verb's module is imported once its name stands in the line.
"""

from __future__ import annotations

import os
from typing import Final

from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

from ..errors import UsageError
from ..printable import quoted

VARIABLE: Final = "_METRIX_CHANNELS_COMPLETE"
"""Set by the scripts: which shell asks."""
_SHELLS: Final = ("bash", "zsh", "fish")


def script_for(shell: str) -> str:
    """Return what a shell has to run at its start.

    Raises:
        UsageError: usage, there is no completion for this shell.
    """
    if shell not in _SHELLS:
        remedy = "Run `metrix-channels --show-completion bash`; the others are zsh and fish."
        raise UsageError(f"There is no completion for the shell {quoted(shell)}.", code="usage", remedy=remedy)
    return get_completion_script(prog_name="metrix-channels", complete_var=VARIABLE, shell=shell)


def enable_completion() -> None:
    """Let typer answer where a shell asks for completions in place of a verb's work."""
    if VARIABLE in os.environ:
        completion_init()
