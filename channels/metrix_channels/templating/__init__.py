"""Templates: the fields of a message as YAML and its text as Jinja, in one file per channel and locale."""

from __future__ import annotations

from .diagnosis import point_to_sample
from .filters.persian import fa_digits
from .folder import SAMPLE
from .library import PlainValue, Sources, Template, Templates, Variant
from .locale_files import has_own_file, locale_cautions, locales

__all__ = [
    "SAMPLE",
    "PlainValue",
    "Sources",
    "Template",
    "Templates",
    "Variant",
    "fa_digits",
    "has_own_file",
    "locale_cautions",
    "locales",
    "point_to_sample",
]
