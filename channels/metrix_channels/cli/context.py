"""What every verb shares: the application that it belongs to, the options beside its own, and where it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import define, field
from typer.core import TyperGroup

from ..config import ConfigFile, find_config
from ..version import __version__
from .ui.output import Output

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


def state_of(context: typer.Context) -> State:
    """Return the shared options of a verb's context."""
    state: State = context.obj
    return state
