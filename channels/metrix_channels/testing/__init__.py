"""A pytest plugin: fixtures that give your tests a stand-in for Metrix. docs/testing.md shows them.

pytest loads it if metrix-channels is installed; it needs the extra `sandbox`. For annotations, import the types of the
fixtures and of the values that they return from this module:

    def test_order_is_confirmed(metrix_sandbox: Sandbox, metrix_config: MetrixConfig) -> None:
        metrix_sandbox.test_channel("SMS")
        with Notifier.from_config(metrix_config(templates="templates")) as notifier:
            confirm_order(notifier, "user-42")
        metrix_sandbox.sms.to("user-42").contains("ORD-1")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clock import MetrixClock
    from .messages import ArrivedMessage, ArrivedMessages
    from .sandbox import Sandbox

try:
    from .fixtures import MetrixConfig, metrix_clock, metrix_config, metrix_sandbox
    from .fixtures import _metrix_sandbox_of_session as _metrix_sandbox_of_session
    from .fixtures import pytest_runtest_setup as pytest_runtest_setup
except ModuleNotFoundError as _error:  # Django's own test runner uses the sandbox alone
    if _error.name != "pytest":
        raise

__all__ = [
    "ArrivedMessage",
    "ArrivedMessages",
    "MetrixClock",
    "MetrixConfig",
    "Sandbox",
    "metrix_clock",
    "metrix_config",
    "metrix_sandbox",
]

_MODULES = {"ArrivedMessage": "messages", "ArrivedMessages": "messages", "MetrixClock": "clock", "Sandbox": "sandbox"}


def __getattr__(name: str) -> Any:
    # On demand, because pytest loads this module in every run, and the sandbox imports a web server.
    if module := _MODULES.get(name):
        return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
