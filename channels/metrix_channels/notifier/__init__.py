"""The public face: Notifier for synchronous code, AsyncNotifier for asynchronous code."""

from .asynchronous import AsyncNotifier
from .synchronous import Notifier

__all__ = ["AsyncNotifier", "Notifier"]
