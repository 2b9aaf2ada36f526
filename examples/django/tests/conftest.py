"""Shared fixtures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture
def offer_files() -> Iterator[None]:
    """Remove the files that `send_offer` writes."""
    yield
    for file in Path(settings.BASE_DIR, "campaigns").glob("*-1405-01.*"):
        file.unlink()
