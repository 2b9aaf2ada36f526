"""One run of the command line: parse the shared options, call the verb, turn errors into text and an exit status."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Sequence
from pathlib import Path

import typer

from ..errors import MetrixChannelsError, UsageError
from .completion import enable_completion
from .context import State, app
from .logs import logged
from .ui.output import Output, ResultLost, discard

_INTERRUPTED = 130
"""The exit status that typer returns for a KeyboardInterrupt."""


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done; 1 done, but something was rejected, is unknown or failed; 2 invalid input; 3 refused
        before sending; 4 halted or not sent, try again later.
    """
    enable_completion()
    state = State()
    shared_ones, others = divide(arguments)
    try:
        with logged(shared_ones):
            return _run(shared_ones, others, state)
    except ResultLost as lost:  # the work is done and recorded in the ledger
        discard("stdout")
        if not isinstance(lost.__cause__, BrokenPipeError):  # the reader, such as `head`, closed the pipe on purpose
            state.output.as_json = False
            remedy = "Redirect the output to a disk with free space. Repeat a message only with its --key."
            message = f"The result could not be printed: {lost}."
            state.output.error(UsageError(message, code="file_unwritable", remedy=remedy))
        return state.status or 1


def _run(shared_ones: Sequence[str], others: Sequence[str], state: State) -> int:
    state.output.as_json = "--json" in shared_ones
    if shared_ones[-1:] == ["--config"]:
        state.output.error(UsageError("--config needs a file name.", code="usage"))
        return 2
    try:
        result = app([*shared_ones, *others], prog_name="metrix-channels", obj=state, standalone_mode=False)
    except MetrixChannelsError as error:
        state.output.error(error)
        return error.exit_status
    except typer.exceptions.TyperException as error:
        _explain(error, state.output)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        result = _INTERRUPTED
    except ResultLost:
        raise
    except Exception as error:  # noqa: BLE001 - users never see a traceback
        logging.getLogger("metrix_channels").debug("internal fault: %s at %s", type(error).__name__, _places(error))
        state.output.error(
            MetrixChannelsError(f"Internal error in metrix-channels: {type(error).__name__}.", code="internal")
        )
        return 1
    if result == _INTERRUPTED:
        state.output.error(UsageError("Interrupted.", code="interrupted", remedy="Run the same command again."))
        return 4
    return result if isinstance(result, int) and result else state.status


def _explain(error: typer.exceptions.TyperException, output: Output) -> None:
    message = error.format_message()
    if message.startswith("Usage:"):  # without a verb, the message is the help
        if not output.as_json:
            output.hint(message)
            return
        message = "No command was given."
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "metrix-channels"
    output.error(UsageError(message, code="usage", remedy=f"See `{command} --help`."))


def divide(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate the shared options, in any position, from the others; arguments after `--` are never shared options."""
    shared_ones: list[str] = []
    others: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            others += [argument, *remaining]
        elif argument in ("--json", "--verbose") or re.fullmatch(r"-v+|--config=.*", argument, re.DOTALL):
            shared_ones.append(argument)
        elif argument == "--config":
            shared_ones.append(argument)
            shared_ones += [value for value in [next(remaining, None)] if value is not None]
        else:
            others.append(argument)
    return shared_ones, others


def _places(error: Exception) -> str:
    """Return the places of a traceback for a bug report, innermost first, without values that may be secret."""
    frames = traceback.extract_tb(error.__traceback__)
    return ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
