"""Every check that can be made before sending, each with what to do about it."""

from .checks import Check, Preflight, Status
from .run import run_preflight

__all__ = ["Check", "Preflight", "Status", "run_preflight"]
