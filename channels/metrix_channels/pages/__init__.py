"""The shared parts of the web pages: words in two languages, templates, charts, one stylesheet, access checks.

`templates` and `static` hold these parts. The pages themselves belong to the packages that show them.
"""

from __future__ import annotations

from .charts import Bar, Series, outcome_bar, over_time
from .rendering import Renderer, asset
from .words import LANGUAGES, Words, language_of

__all__ = [
    "LANGUAGES",
    "Bar",
    "Renderer",
    "Series",
    "Words",
    "asset",
    "language_of",
    "outcome_bar",
    "over_time",
]
