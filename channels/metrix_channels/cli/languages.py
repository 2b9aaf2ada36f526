"""The option that chooses the language of a page."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import UsageError
from ..pages import LANGUAGES, Words

Language = Annotated[str, typer.Option("--lang", metavar="LANG", help="The language of the page: en or fa.")]


def language(name: str) -> Words:
    """Return the words of a page.

    Raises:
        UsageError: the language is not supported.
    """
    if name not in LANGUAGES:
        there = " or ".join(LANGUAGES)
        raise UsageError(f"--lang {name!r} is not supported; choose {there}.", code="usage", remedy="Write --lang fa.")
    return Words(name)
