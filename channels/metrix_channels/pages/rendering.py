"""Renders pages: everything is escaped, a missing value is an error, and nothing is loaded from other hosts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ..errors import sentence
from ..sms_text import sms_length
from .words import LANGUAGES, Words


@lru_cache(maxsize=8)
def asset(name: str) -> str:
    """Return a file of `static`: the stylesheet or the script."""
    return files(__package__).joinpath("static", name).read_text(encoding="utf-8")


class Renderer:
    """Renders the pages of one package with the shared templates.

    Args:
        package: a package with a folder `templates`.
    """

    def __init__(self, package: str) -> None:
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("metrix_channels.pages")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(as_json=_as_json, codes=_codes, sentence=sentence)
        self._environment.globals.update(sms_length=sms_length, languages=LANGUAGES)

    def page(self, name: str, words: Words, /, **values: Any) -> str:
        """Render a page for a server, which also serves the stylesheet and the script."""
        return self._environment.get_template(name).render(_=words, inline_style=None, **values)

    def file(self, name: str, words: Words, /, **values: Any) -> str:
        """Render a page as a single file, without a script."""
        return self._environment.get_template(name).render(_=words, inline_style=asset("style.css"), **values)


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _codes(text: str) -> Markup:
    """Show text between backticks as code, as in remedies."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
