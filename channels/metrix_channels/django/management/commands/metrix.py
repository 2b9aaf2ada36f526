"""`manage.py metrix …`: every verb of `metrix-channels`, with the configuration of the project."""

from __future__ import annotations

import io
import sys
from argparse import REMAINDER
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ....cli import run_command
from ....cli.ui.output import Output
from ....errors import MetrixChannelsError
from ...settings import configured_path, find_config, is_testing

_OF_DJANGO = ("--settings", "--pythonpath")


class Command(BaseCommand):
    """Runs the command line of metrix-channels with the configuration of the project."""

    help = "Run a verb of metrix-channels with the configuration of this project; see `manage.py metrix --help`."
    # No checks, because `channels verify` fixes what they report.
    requires_system_checks: tuple[str, ...] = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the verb of a shell command, and end the process with its exit status."""
        sys.exit(_run([*_without_django(argv[2:])]))

    def add_arguments(self, parser: CommandParser) -> None:
        """Accept all arguments; the verb parses them."""
        parser.add_argument("args", nargs=REMAINDER, metavar="VERB …")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the verb of `call_command("metrix", "campaign", "run", "nowruz.yaml", "--yes")`; put the verb first.

        Raises:
            CommandError: the exit status is not 0; it is `.returncode`.
        """
        arguments = [str(argument) for argument in args]
        with _directed(redirect_stdout, options.get("stdout")), _directed(redirect_stderr, options.get("stderr")):
            status = _run(arguments)
        if status:
            raise CommandError(f"`metrix {' '.join(arguments)}` failed: exit status {status}.", returncode=status)


def _run(arguments: Sequence[str]) -> int:
    try:
        path = find_config() if is_testing() else configured_path()
    except MetrixChannelsError as error:
        Output(as_json="--json" in arguments).error(error)
        return error.exit_status
    # If the user gives --config too, it comes later and wins.
    return run_command([*([] if path is None else [f"--config={path}"]), *arguments])


@contextmanager
def _directed(redirect: Callable[[TextIO], AbstractContextManager[Any]], target: TextIO | None) -> Iterator[None]:
    """Redirect the output of a verb to one of Django's streams, which take only text; None for no redirection."""
    if target is None:
        yield
        return
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    try:
        with redirect(printed):
            yield
    finally:
        target.write(printed.buffer.getvalue().decode())


def _without_django(arguments: Sequence[str]) -> Iterator[str]:
    """Return the arguments without the options that Django itself has handled."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            yield from (argument, *rest)
        elif argument in _OF_DJANGO:
            next(rest, None)
        elif not argument.startswith(tuple(f"{option}=" for option in _OF_DJANGO)):
            yield argument
