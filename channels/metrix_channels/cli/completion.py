"""Completion of verbs and options in bash, zsh and fish.

The script that `--show-completion` prints runs the command for each completion and passes the typed text in environment
variables. typer completes it. The module of a verb is imported only after the verb was typed.
"""

from __future__ import annotations

import os
from typing import Final

from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

from ..errors import UsageError
from ..printable import quoted

VARIABLE: Final = "_METRIX_CHANNELS_COMPLETE"
"""Set by the completion scripts to the name of the shell."""
_SHELLS: Final = ("bash", "zsh", "fish")


def script_for(shell: str) -> str:
    """Return the completion script of a shell.

    Raises:
        UsageError: usage, if this shell is not supported.
    """
    if shell not in _SHELLS:
        remedy = "Run `metrix-channels --show-completion bash`; the others are zsh and fish."
        raise UsageError(f"There is no completion for the shell {quoted(shell)}.", code="usage", remedy=remedy)
    return get_completion_script(prog_name="metrix-channels", complete_var=VARIABLE, shell=shell)


def enable_completion() -> None:
    """Let typer answer completion requests of a shell."""
    if VARIABLE in os.environ:
        completion_init()
