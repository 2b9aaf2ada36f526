"""Every check that can be made before sending, each with what to do about it."""

from .result import Preflight
from .run import run_preflight

__all__ = ["Preflight", "run_preflight"]
