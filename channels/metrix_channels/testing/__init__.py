"""A pytest plugin: fixtures that give your own tests a Metrix of their own. docs/testing.md shows them.

pytest loads it wherever metrix-channels is installed; it needs the extra `sandbox`. The names here are the types of the
fixtures and of what they return, for annotations:

    def test_order_is_confirmed(metrix_sandbox: Sandbox, metrix_config: MetrixConfig) -> None:
        metrix_sandbox.test_channel("SMS")
        with Notifier.from_config(metrix_config(templates="templates")) as notifier:
            confirm_order(notifier, "user-42")
        metrix_sandbox.sms.to("user-42").contains("ORD-1")
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from .clock import MetrixClock
    from .messages import ArrivedMessage, ArrivedMessages
    from .sandbox import Sandbox

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

_CHANNELS = {
    "sms": {"type": "sms", "verified": True},
    "push": {"type": "app_push", "verified": True},
    "web_push": {"type": "web_push", "verified": True},
    "email": {"type": "email", "verified": True},
}


class MetrixConfig(Protocol):
    """What the fixture `metrix_config` is."""

    def __call__(self, **settings: Any) -> Path:
        """Write a channels.yaml that points at `metrix_sandbox` and return its path.

        Args:
            **settings: any key of channels.yaml. Those of `metrix` are laid over what points at the sandbox, every
                other replaces the plugin's own: a channel of each type for people, verified, an empty folder
                of templates, and a ledger that ends with the test. A relative `templates` starts at the
                working folder, as in the rest of your tests.
        """


def pytest_runtest_setup() -> None:
    """Begin each test of a Django project with an empty outbox."""
    # Only where something was sent in a test of such a project is there anything to forget.
    if of_django := sys.modules.get("metrix_channels.django.testing"):
        of_django.begin_test()


@pytest.fixture(scope="session")
def _metrix_sandbox_of_session() -> Iterator[Sandbox]:
    # Here, so that a test run that uses no sandbox does not pay for importing a web server.
    from .sandbox import Sandbox

    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def metrix_sandbox(_metrix_sandbox_of_session: Sandbox) -> Iterator[Sandbox]:
    """A stand-in for Metrix in this process, empty, with all channels still untested, as in a new application.

    In tests of a Django project it is the one that the project sends to, and all channels are tested.
    """
    if _is_of_django():
        # By its name: the app is built on the notifier, and the plugin must not need Django.
        import_module("metrix_channels.django.testing").use_sandbox(_metrix_sandbox_of_session)
    else:
        _metrix_sandbox_of_session.clear()
    yield _metrix_sandbox_of_session
    _metrix_sandbox_of_session.clear()
    _metrix_sandbox_of_session.config = None


def _is_of_django() -> bool:
    app = sys.modules.get("metrix_channels.django.apps")
    return app is not None and bool(import_module("metrix_channels.django.settings").is_testing())


@pytest.fixture
def metrix_config(metrix_sandbox: Sandbox, tmp_path: Path) -> MetrixConfig:
    """Writes a channels.yaml that points at `metrix_sandbox`: `metrix_config(templates="templates")`."""
    folder = tmp_path / "metrix"

    def write(**settings: Any) -> Path:
        (folder / "templates").mkdir(parents=True, exist_ok=True)
        templates = str(Path(settings.get("templates", folder / "templates")).absolute())
        from ..sandbox.client_config import write_client_config

        config = {"channels": _CHANNELS, **settings, "templates": templates}
        metrix_sandbox.config = write_client_config(metrix_sandbox, folder, config)
        return metrix_sandbox.config

    return write


@pytest.fixture
def metrix_clock() -> Iterator[MetrixClock]:
    """The clock of the library and of the sandbox, which stands still until the test moves it."""
    from ..process import wall_clock
    from .clock import MetrixClock

    clock = MetrixClock()
    wall_clock.use(clock)
    yield clock
    wall_clock.use(None)


def __getattr__(name: str) -> Any:
    # On demand: pytest loads this module in every run, and the sandbox brings a web server.
    if module := _MODULES.get(name):
        return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
