"""What all verbs share: the typer application, the shared options, and the output."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from attrs import define, field
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from ..version import __version__
from .commands import VERBS, Verb
from .completion import script_for
from .plain_values import take_plain_values
from .ui.output import Output

if TYPE_CHECKING:
    from ..config import ConfigFile


class _Listed(TyperCommand):
    """A verb in the list of `--help`; its module is imported when the verb is called."""

    def __init__(self, name: str, verb: Verb) -> None:
        super().__init__(name, help=verb.help, rich_markup_mode=None)
        self._module = verb.module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Import the verb and create its context."""
        importlib.import_module(self._module)
        command = get_group(app).commands[str(self.name)]
        take_plain_values(command)
        return command.make_context(info_name, args, parent, **extra)


class _Verbs(TyperGroup):
    """The verbs in `VERBS`; imported modules register their verbs in `app`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        take_plain_values(self)
        self.commands = {name: self.commands.get(name) or _Listed(name, verb) for name, verb in VERBS.items()}


def example(*commands: str) -> str:
    """Return the examples below a verb's help; their line breaks are kept."""
    return "\n".join(["\b", "Example:" if len(commands) == 1 else "Examples:", *(f"  {line}" for line in commands)])


app: typer.Typer = typer.Typer(
    name="metrix-channels",
    cls=_Verbs,
    help="Send Push, SMS and Email through Metrix. Untested channels are refused.",
    epilog=example("metrix-channels demo", "metrix-channels send --help")
    + "\n\nEvery command also accepts --config FILE, --json and -v.",
    no_args_is_help=True,
    add_completion=False,  # typer's options edit the user's files for a guessed shell
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
        status: the exit status, unless the verb raises an error.
    """

    output: Output = field(factory=Output)
    config: Path | None = None
    status: int = 0

    def config_file(self) -> ConfigFile:
        """Return the configuration from --config, the environment or the current folder.

        Raises:
            ConfigError: config_missing.
        """
        from ..config import ConfigFile, find_config  # on demand: not needed by `--help`, `init`, `explain`

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


def _show_completion(context: typer.Context, shell: str | None) -> None:
    if shell is None or context.resilient_parsing:
        return
    output, script = state_of(context).output, script_for(shell)
    if output.as_json:
        output.document({"shell": shell, "script": script})
    else:
        output.say(script)
    raise typer.Exit


@app.callback()
def shared(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The configuration file.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    verbose: Annotated[
        int,
        typer.Option("-v", "--verbose", count=True, show_default=False, help="Show more log messages; -vv shows all."),
    ] = 0,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Print the version and exit.")
    ] = False,
    completion: Annotated[
        str | None,
        typer.Option(
            "--show-completion",
            metavar="SHELL",
            is_eager=True,
            callback=_show_completion,
            show_default=False,
            help="Print the completion script for bash, zsh or fish.",
        ),
    ] = None,
) -> None:
    """Store the shared options for the verb. Logging for -v has already started."""
    state: State = context.obj
    state.config = config
    state.output.as_json = as_json


def state_of(context: typer.Context) -> State:
    """Return the shared options of a verb's context."""
    state: State = context.obj
    return state
