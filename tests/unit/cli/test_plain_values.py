"""Values that need no conversion are taken as they are, and mean the same as when typer converts them."""

import os
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.main import get_command

from metrix_channels.cli.plain_values import take_plain_values

THERE = str(Path(__file__))


def values_of(arguments, *, plain):
    """What a verb with a parameter of each kind is called with, or the words in which it is refused."""
    called = []
    app = typer.Typer(add_completion=False)

    @app.command()
    def verb(
        name: str,
        number: Annotated[int | None, typer.Option(min=1, max=9)] = None,
        port: int = 80,
        share: float | None = None,
        many: Annotated[list[str] | None, typer.Option()] = None,
        rows: Annotated[list[int] | None, typer.Option(min=1)] = None,
        file: Path | None = None,
        folder: Path = Path(),
        known: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
        verbose: Annotated[int, typer.Option("-v", count=True)] = 0,
        yes: bool = False,
    ) -> None:
        called.append((name, number, port, share, many, rows, file, folder, known, verbose, yes))

    command = get_command(app)
    if plain:
        take_plain_values(command)
    try:
        command(arguments, standalone_mode=False)
    except typer.TyperException as error:
        return error.format_message()
    return called


@pytest.mark.parametrize(
    "arguments",
    [
        ["سارا"],
        [""],
        [],
        ["x", "--number", "3", "-vv", "--yes"],
        ["x", "--number", "12"],
        ["x", "--number", "three"],
        ["x", "--port", "8025", "--share", "0.5"],
        ["x", "--share", "half"],
        ["x", "--many", "a", "--many", "", "--many", "می‌خواهم"],
        ["x", "--rows", "2", "--rows", "3"],
        ["x", "--rows", "0"],
        ["x", "--file", THERE, "--folder", os.sep],
        ["x", "--file", "/not/there", "--folder", ""],
        ["x", "--known", THERE],
        ["x", "--known", os.sep],
        ["x", "--known", "/not/there"],
        ["\udcff"],
        ["x", "--many", "\udcff"],
        ["x", "--file", "\udcff"],
        ["x", "--bogus"],
    ],
)
def test_a_verb_is_called_as_typer_would_call_it(arguments):
    """The same values of the same types, or the same words."""
    plain, converted = values_of(arguments, plain=True), values_of(arguments, plain=False)
    assert plain == converted
    assert repr(plain) == repr(converted)
