"""Pages from templates: everything is escaped, a missing value is an error, and nothing is loaded from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ..sms_text import sms_length
from .words import LANGUAGES, Words


@lru_cache(maxsize=8)
def asset(name: str) -> str:
    """Return a file of `static`: the stylesheet or the script."""
    return files(__package__).joinpath("static", name).read_text(encoding="utf-8")


class Renderer:
    """The pages of one package, on top of the shared ones.

    Args:
        package: has a folder `templates`.
    """

    def __init__(self, package: str) -> None:
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("metrix_channels.pages")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(as_json=_as_json, codes=_codes)
        self._environment.globals.update(sms_length=sms_length, languages=LANGUAGES)

    def page(self, name: str, words: Words, /, **values: Any) -> str:
        """Render a page for a server, which serves its stylesheet and script too."""
        return self._environment.get_template(name).render(_=words, inline_style=None, **values)

    def file(self, name: str, words: Words, /, **values: Any) -> str:
        """Render a page that stands alone: one file, without any script."""
        return self._environment.get_template(name).render(_=words, inline_style=asset("style.css"), **values)


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _codes(text: str) -> Markup:
    """Show what stands between backticks as code, the way our own remedies are written."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
