"""The application: options that every verb shares, and one edge where every error becomes words and a status."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import define, field
from typer.core import TyperGroup

from ..config import ConfigFile, find_config
from ..errors import MetrixChannelsError, UsageError
from ..version import __version__
from .logs import logged
from .ui.output import Output, ResultLost, discard

_JOURNEY = (
    "demo",
    "init",
    "preview",
    "channels",
    "preflight",
    "doctor",
    "send",
    "identify",
    "track",
    "campaign",
    "sandbox",
)

_INTERRUPTED = 130
"""What typer makes of a KeyboardInterrupt in a verb."""


class _InOrder(TyperGroup):
    """Lists the verbs in the order in which a newcomer meets them."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _JOURNEY.index(name) if name in _JOURNEY else len(_JOURNEY))


def example(*commands: str) -> str:
    """Return what stands below a verb's help, its lines as they are."""
    return "\n".join(["\b", "Example:" if len(commands) == 1 else "Examples:", *(f"  {line}" for line in commands)])


app = typer.Typer(
    name="metrix-channels",
    cls=_InOrder,
    help="Send Push, SMS and Email through Metrix, and never through a channel that nobody tested.",
    epilog=example("metrix-channels demo", "metrix-channels send --help")
    + "\n\nEvery verb also takes --config FILE, --json and -v, before or after its name.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@define
class State:
    """The shared options.

    Attributes:
        output: where to print.
        config: from --config.
        status: the exit status, when the verb ends without an error.
    """

    output: Output = field(factory=Output)
    config: Path | None = None
    status: int = 0

    def config_file(self) -> ConfigFile:
        """Return the configuration that --config, the environment or the current folder names.

        Raises:
            ConfigError: config_missing.
        """
        return ConfigFile(find_config(self.config))


def _tell_version(context: typer.Context, asked: bool) -> None:
    if not asked:
        return
    output = state_of(context).output
    if output.as_json:
        output.document({"version": __version__})
    else:
        output.say(__version__)
    raise typer.Exit


@app.callback()
def shared(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The configuration.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Say more; -vv says it all.")
    ] = 0,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Print the version and leave.")
    ] = False,
) -> None:
    """Keep the shared options for the verb; what -v asks for began before this is called."""
    state: State = context.obj
    state.config = config
    state.output.as_json = as_json


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done; 1 done, with something rejected, unknown or failed; 2 wrong input; 3 refused before
        sending; 4 not for now.
    """
    state = State()
    shared_ones, others = divide(arguments)
    try:
        with logged(shared_ones):
            return _run(shared_ones, others, state)
    except ResultLost as lost:  # what was done is done, and in the ledger
        discard("stdout")
        if not isinstance(lost.__cause__, BrokenPipeError):  # a reader who has read enough wants no more words
            state.output.as_json = False
            remedy = "Direct it to where there is room. What was sent stays sent; do not send it again without --key."
            message = f"The result could not be printed: {lost}."
            state.output.error(UsageError(message, code="file_unwritable", remedy=remedy))
        return state.status or 1


def _run(shared_ones: Sequence[str], others: Sequence[str], state: State) -> int:
    state.output.as_json = "--json" in shared_ones
    if shared_ones[-1:] == ["--config"]:
        state.output.error(UsageError("--config names no file.", code="usage"))
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
    except Exception as error:  # noqa: BLE001 - the last edge: no traceback ever reaches a user
        logging.getLogger("metrix_channels").debug("internal fault: %s at %s", type(error).__name__, _places(error))
        state.output.error(
            MetrixChannelsError(f"A fault of metrix-channels itself: {type(error).__name__}.", code="internal")
        )
        return 1
    if result == _INTERRUPTED:
        state.output.error(UsageError("Interrupted.", code="interrupted"))
        return 4
    return result if isinstance(result, int) and result else state.status


def _explain(error: typer.exceptions.TyperException, output: Output) -> None:
    message = error.format_message()
    if message.startswith("Usage:"):  # no verb was given: the message is the whole help
        if not output.as_json:
            output.hint(message)
            return
        message = "No verb was given."
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "metrix-channels"
    output.error(UsageError(message, code="usage", remedy=f"See `{command} --help`."))


def divide(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the shared options from the others, wherever they stand; what follows `--` is never one of them."""
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
    """Say where a fault came up, innermost first: what a report needs, without values that might be secret."""
    frames = traceback.extract_tb(error.__traceback__)
    return ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


def state_of(context: typer.Context) -> State:
    """Return the shared options of a verb's context."""
    state: State = context.obj
    return state
