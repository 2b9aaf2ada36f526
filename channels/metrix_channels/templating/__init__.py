"""Templates: a message's fields as YAML, its text as Jinja, one file a channel and locale."""

from __future__ import annotations

from .filters.persian import fa_digits
from .library import SAMPLE, PlainValue, Rendered, Sources, Template, Templates, Variant, locales

__all__ = ["SAMPLE", "PlainValue", "Rendered", "Sources", "Template", "Templates", "Variant", "fa_digits", "locales"]
