"""Finds the sample files that ship with the library: inside an installed wheel, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
_INSTALLED: Final = _PACKAGE / "samples"
_CHECKOUT: Final = _PACKAGE.parent.parent


def templates() -> Path:
    """Return the folder of the sample templates."""
    return _sample("templates")


def campaigns() -> Path:
    """Return the folder of the sample campaign and its audience."""
    return _sample("campaigns")


def example_config() -> Path:
    """Return the path of `channels.example.yaml`."""
    return _sample("channels.example.yaml")


def schema() -> Path:
    """Return the path of the JSON Schema of channels.yaml, for editors."""
    return _PACKAGE / "config" / "channels.schema.json"


def campaign_schema() -> Path:
    """Return the path of the JSON Schema of campaign files, for editors."""
    return _PACKAGE / "campaign" / "campaign.schema.json"


def _sample(name: str) -> Path:
    installed = _INSTALLED / name
    return installed if installed.exists() else _CHECKOUT / name
