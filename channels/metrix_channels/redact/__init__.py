"""Secrets, and how text from outside is searched for them before anybody sees it."""

from __future__ import annotations

from .redactor import Redactor, sensitive_values
from .secret import MASK, Secret

__all__ = ["MASK", "Redactor", "Secret", "sensitive_values"]
