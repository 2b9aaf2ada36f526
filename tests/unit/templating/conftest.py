"""A folder of templates to write into, and a way to render one line of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

Write = Callable[..., Path]
Render = Callable[..., dict[str, Any]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of templates."""
    folder = tmp_path / "templates"
    folder.mkdir()
    return folder


@pytest.fixture
def templates(root: Path) -> Templates:
    """The templates in the folder."""
    return Templates(root)


@pytest.fixture
def write(root: Path) -> Write:
    """Write a file below the folder of templates."""

    def write(name: str, content: str | bytes = "text") -> Path:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def render(write: Write, templates: Templates) -> Render:
    """Render one template's text with values; gives the fields."""

    def render(text: str, context: Mapping[str, Any] | None = None, *, html: bool = False) -> dict[str, Any]:
        kind = ChannelType.EMAIL if html else ChannelType.SMS
        write(f"t/{kind}.{'html' if html else 'txt'}.j2", text)
        return templates.find("t", kind.value, kind).render(context or {}, NOW)

    return render
