"""Files that somebody may be reading while they are written."""

from __future__ import annotations

from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Write a file that only its owner may read, so that nobody ever sees half of it."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o600)
    new.replace(path)
