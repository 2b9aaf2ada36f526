"""One notifier a process."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from metrix_channels import ConfigError
from metrix_channels.notifier import shared


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch):
    """Each test begins and ends without a notifier."""
    monkeypatch.setattr(shared, "_notifiers", {})
    monkeypatch.setattr(shared, "_find", shared.find_config)
    yield
    shared.close_notifiers()


def test_all_threads_share_one(metrix_config, monkeypatch):
    """However many ask at the same moment."""
    monkeypatch.setenv("METRIX_CHANNELS_CONFIG", str(metrix_config()))
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: shared.get_notifier(), range(200)))
    assert len({id(notifier) for notifier in found}) == 1


def test_a_framework_names_the_configuration(metrix_config, monkeypatch, tmp_path):
    """Django's settings come before the environment."""
    monkeypatch.setenv("METRIX_CHANNELS_CONFIG", str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError):
        shared.get_notifier()
    path = metrix_config()
    shared.use_config(lambda: path)
    assert shared.get_notifier() is shared.get_notifier()


def test_after_closing_there_is_a_new_one(metrix_config, monkeypatch):
    """Which knows nothing of the old one."""
    monkeypatch.setenv("METRIX_CHANNELS_CONFIG", str(metrix_config()))
    first = shared.get_notifier()
    shared.close_notifiers()
    assert shared.get_notifier() is not first
