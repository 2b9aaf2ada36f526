"""Secrets, and the search for them in text from outside before anybody sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .secret import MASK, Secret

if TYPE_CHECKING:
    from .redactor import Redactor, sensitive_values
else:

    def __getattr__(name):
        # Imported on demand: the configuration needs only `Secret`; only code that talks to Metrix searches text.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import redactor

        return getattr(redactor, name)


__all__ = ["MASK", "Redactor", "Secret", "sensitive_values"]
