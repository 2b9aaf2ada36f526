"""Every check that can be made before sending, each with what to do about it."""

from .result import Preflight
from .run import WatchPreflight, run_preflight

__all__ = ["Preflight", "WatchPreflight", "run_preflight"]
