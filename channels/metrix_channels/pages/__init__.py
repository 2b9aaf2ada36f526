"""What the project's web pages share: words in two languages, templates, charts, one stylesheet, and who may come in.

`templates` and `static` hold the parts; the pages themselves belong to whoever shows them.
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
