"""Waits between attempts that a test can afford."""

import pytest

from metrix_channels.delivery import backoff as waits


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(waits, "FIRST_WAIT_SECONDS", 0.005)
