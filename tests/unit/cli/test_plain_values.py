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
        ["x", "--port", "8025", "--share", "0.5"],
        ["x", "--many", "a", "--many", "", "--many", "می‌خواهم"],
        ["x", "--rows", "2", "--rows", "3"],
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "--number", "three"], "'three' is not a whole number."),
        (["x", "--number", "1.5"], "'1.5' is not a whole number."),
        (["x", "--number", ""], "'' is not a whole number."),
        (["x", "--number", "12"], "'12' is more than 9."),
        (["x", "--number=-3"], "'-3' is less than 1."),
        (["x", "--share", "half"], "'half' is not a number."),
        (["x", "--share", "1,5"], "'1,5' is not a number."),
        (["x", "--rows", "2", "--rows", "0"], "'0' is less than 1."),
        (["x", "--rows", "first"], "'first' is not a whole number."),
    ],
)
def test_a_wrong_number_is_refused_in_plain_words(arguments, words):
    """With the value and the option; typer's library speaks to developers."""
    option = arguments[1].partition("=")[0]
    assert values_of(arguments, plain=True) == f"Invalid value for '{option}': {words}"


def test_a_number_may_have_persian_digits():
    """As people type them on a Persian keyboard."""
    assert values_of(["x", "--number", "۷", "--share", "۱.۵"], plain=True)[0][1:4] == (7, 80, 1.5)
