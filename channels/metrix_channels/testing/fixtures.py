"""The fixtures, which need pytest, and the hook that begins each test of a Django project with an empty outbox."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from .clock import MetrixClock
    from .sandbox import Sandbox

_CHANNELS = {
    "sms": {"type": "sms", "verified": True},
    "push": {"type": "app_push", "verified": True},
    "web_push": {"type": "web_push", "verified": True},
    "email": {"type": "email", "verified": True},
}


class MetrixConfig(Protocol):
    """The type of the fixture `metrix_config`."""

    def __call__(self, **settings: Any) -> Path:
        """Write a channels.yaml that points to `metrix_sandbox`, and return its path.

        Args:
            **settings: any key of channels.yaml. Keys under `metrix` are merged with those for the sandbox. Every
                other key replaces the default: the verified channels `sms`, `push`, `web_push` and `email`, an empty
                template folder, and a ledger for this test alone. A relative `templates` starts at the working
                folder, as in the rest of your tests.
        """


def pytest_runtest_setup() -> None:
    """Begin each test of a Django project with an empty outbox."""
    # The module is only loaded if a test of such a project has sent something.
    if of_django := sys.modules.get("metrix_channels.django.testing"):
        of_django.begin_test()


@pytest.fixture(scope="session")
def _metrix_sandbox_of_session() -> Iterator[Sandbox]:
    # Imported here, so that a test run without a sandbox does not import a web server.
    from .sandbox import Sandbox

    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def metrix_sandbox(_metrix_sandbox_of_session: Sandbox) -> Iterator[Sandbox]:
    """An empty stand-in for Metrix in this process, in which no channel is tested yet, as in a new application.

    In tests of a Django project, it is the sandbox that the project sends to, and all channels are tested.
    """
    if _is_of_django():
        # Imported by name, because the plugin must not need Django.
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
    """Writes a channels.yaml that points to `metrix_sandbox`: `metrix_config(templates="templates")`."""
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
    """The clock of the library and the sandbox; it stands still until the test moves it."""
    from ..process import wall_clock
    from .clock import MetrixClock

    clock = MetrixClock()
    wall_clock.use(clock)
    yield clock
    wall_clock.use(None)
