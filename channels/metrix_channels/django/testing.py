"""The outbox and the sandbox for tests of a Django project, without any set-up.

In tests, with Django's runner or pytest-django, the project sends to a sandbox in this process, which is empty when a
test begins:

    from metrix_channels.django.testing import outbox

    def test_an_order_is_confirmed(client, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            client.post("/orders/", {"item": "tea"})
        [message] = outbox
        assert message["recipients"] == ["user-42"]
        assert "tea" in message["message"]["body"]
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import RLock
from typing import Any, Final, overload
from unittest import TestResult

import attrs
from django.test import SimpleTestCase

from ..config import read_yaml
from ..config.credentials import SANDBOX_APP_ID
from ..config.loading import make_config
from ..notifier.shared import close_notifiers
from ..sandbox.bodies import CHANNELS
from ..sandbox.client_config import write_client_config
from ..testing.sandbox import Sandbox

__all__ = ["get_sandbox", "outbox"]

_REPLACED: Final = {"app_id", "api_key", "api_key_file", "base_url", "proxy", "ca_file", "rate_limit"}
"""Settings under `metrix` for the real Metrix, which tests replace."""


class _Outbox(Sequence[dict[str, Any]]):
    """The messages that arrived during this test, oldest first, in the form of `Sandbox.messages`."""

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return get_sandbox().messages()[index]

    def __len__(self) -> int:
        return len(get_sandbox().messages())

    def __repr__(self) -> str:
        return repr(get_sandbox().messages())


outbox: Final = _Outbox()
"""The messages that arrived during this test, oldest first."""


@attrs.define
class _Environment:
    """The environment for the tests of one process.

    Attributes:
        sandbox: runs until the process ends.
        process: the id of its process; a forked child creates its own.
        folder: holds configurations and ledgers.
        written: the configuration that replaces a project's configuration in this test.
    """

    sandbox: Sandbox = attrs.field(factory=Sandbox)
    process: int = attrs.field(factory=os.getpid)
    folder: Path = attrs.field(factory=lambda: Path(tempfile.mkdtemp(prefix="metrix-channels-tests-")))
    written: dict[Path, Path] = attrs.field(factory=dict)

    def remove(self) -> None:
        """Remove the folder, unless it belongs to a parent."""
        if self.process == os.getpid():
            shutil.rmtree(self.folder, ignore_errors=True)


_environment: _Environment | None = None
_lock = RLock()


def get_sandbox() -> Sandbox:
    """Return the stand-in for Metrix that the project's tests send to; all its channels deliver.

    `get_sandbox().sms.to("user-42").contains("4821")` asserts what arrived, and
    `get_sandbox().inject("status:503", times=2)` makes the next two requests fail.
    """
    return _current().sandbox


def use_sandbox(sandbox: Sandbox) -> None:
    """Make the project's tests send to a running `sandbox`, such as that of the fixture `metrix_sandbox`."""
    with _lock:
        environment = _current()
        if environment.sandbox is not sandbox:
            environment.sandbox.stop()
            environment.sandbox = sandbox
            begin_test()


def begin_test() -> None:
    """Delete the messages of earlier tests, and the keys that they used."""
    with _lock:
        if _environment is None or _environment.process != os.getpid():
            return
        close_notifiers()
        _environment.written.clear()
        _clear(_environment.sandbox)


def sandbox_config(project: Path) -> Path:
    """Return the configuration that replaces the project's in this test.

    It has the project's templates, channels and settings. It uses a sandbox instead of Metrix, and its own ledger.
    Every channel counts as verified, because verification depends on the date and not on the code.

    Args:
        project: the path of the project's configuration.

    Raises:
        ConfigError: that file is wrong.
    """
    with _lock:
        environment = _current()
        if project not in environment.written:
            settings = _settings_in_tests(project)
            folder = Path(tempfile.mkdtemp(dir=environment.folder))
            environment.written[project] = write_client_config(environment.sandbox, folder, settings)
        return environment.written[project]


def _current() -> _Environment:
    global _environment
    with _lock:
        if _environment is None or _environment.process != os.getpid():
            _environment = _Environment()
            atexit.register(_environment.remove)
            _environment.sandbox.start()
            _clear(_environment.sandbox)
            _begin_each_test_empty()
        return _environment


def _clear(sandbox: Sandbox) -> None:
    sandbox.clear()
    for channel in CHANNELS:
        sandbox.test_channel(channel)


def _begin_each_test_empty() -> None:
    """Begin each Django test case with an empty sandbox, as the pytest plugin does; Django has no signal for it."""
    begin = SimpleTestCase.__call__
    if getattr(begin, "begins_empty", False):
        return

    def run_with_empty_outbox(self: SimpleTestCase, result: TestResult | None = None) -> None:
        begin_test()
        begin(self, result)

    run_with_empty_outbox.begins_empty = True  # type: ignore[attr-defined]
    SimpleTestCase.__call__ = run_with_empty_outbox  # type: ignore[method-assign]


def _settings_in_tests(project: Path) -> dict[str, Any]:
    document = read_yaml(project)
    data = _without_environment(document.data)
    # Checked as the project's own file, so that an error names its line.
    config = make_config(attrs.evolve(document, data=data), project, os.environ)
    metrix = {key: value for key, value in data["metrix"].items() if key not in _REPLACED}
    paths = {"templates": str(config.templates), "suppress": [str(path) for path in config.suppress]}
    return {**data, **paths, "metrix": metrix}


def _without_environment(data: Any) -> Any:
    """Return a configuration with its environment replaced: credentials, ledger, verifications."""
    if not isinstance(data, dict):
        return data
    changed: dict[str, Any] = {**data, "ledger": "sqlite:///./metrix-channels.db"}
    if isinstance(metrix := data.get("metrix"), dict):
        others = {key: value for key, value in metrix.items() if key not in _REPLACED}
        changed["metrix"] = {**others, "app_id": SANDBOX_APP_ID, "api_key_file": "metrix.key"}
    if isinstance(channels := data.get("channels"), dict):
        changed["channels"] = {
            name: {**channel, "verified": True} if isinstance(channel, dict) else channel
            for name, channel in channels.items()
        }
    return changed
