"""The application: options that every verb shares, and one edge where every error becomes words and a status."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from attrs import define, field

from .. import __version__
from ..config import ConfigFile, find_config
from ..errors import MetrixChannelsError, UsageError
from .output import Output, discard_stdout

app = typer.Typer(
    name="metrix-channels",
    help="Send Push, SMS and Email through Metrix, and never through a channel that nobody tested.",
    epilog="Every verb also takes --config FILE, --json and -v, before or after its name.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
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


@app.callback()
def shared(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("--config", help="The configuration file.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more; -vv says it all.")] = 0,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    """Keep the shared options for the verb."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    state: State = context.obj
    state.config = config
    state.output.as_json = as_json
    if verbose:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
        logging.getLogger("metrix_channels").setLevel(logging.INFO if verbose == 1 else logging.DEBUG)


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done; 1 done, with something rejected, unknown or failed; 2 wrong input; 3 refused before
        sending; 4 not for now.
    """
    arguments = hoist(arguments)
    state = State(Output(as_json="--json" in arguments))
    try:
        return _run(arguments, state)
    except OSError as error:  # stdout was closed or its disk is full; what was done is done and in the ledger
        discard_stdout()
        state.output.as_json = False
        state.output.error(UsageError(f"The result could not be printed: {error.strerror}.", code="file_unwritable"))
        return state.status or 1


def _run(arguments: Sequence[str], state: State) -> int:
    try:
        result = app(list(arguments), obj=state, standalone_mode=False)
    except MetrixChannelsError as error:
        state.output.error(error)
        return error.exit_status
    except typer.exceptions.TyperException as error:
        state.output.error(UsageError(error.format_message(), code="usage"))
        return 2
    except (KeyboardInterrupt, typer.Abort):
        state.output.error(UsageError("Interrupted.", code="interrupted"))
        return 4
    except OSError:
        raise
    except Exception as error:
        logging.getLogger("metrix_channels").debug("internal error", exc_info=error)
        state.output.error(
            MetrixChannelsError(f"A fault of metrix-channels itself: {type(error).__name__}.", code="internal")
        )
        return 1
    return result if isinstance(result, int) and result else state.status


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move the shared options before the verb, wherever they stand; what follows `--` stays."""
    shared_ones: list[str] = []
    others: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            others += [argument, *remaining]
        elif argument in ("--json", "-v", "-vv", "--verbose") or argument.startswith("--config="):
            shared_ones.append(argument)
        elif argument == "--config":
            shared_ones += [argument, *[value for value in [next(remaining, None)] if value is not None]]
        else:
            others.append(argument)
    return shared_ones + others


def state_of(context: typer.Context) -> State:
    """Return the shared options of a verb's context."""
    state: State = context.obj
    return state


from . import channels, demo, init, preflight, preview, sandbox, send  # noqa: E402, F401 - the verbs register themselves
