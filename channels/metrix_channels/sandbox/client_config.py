"""Writes a configuration for clients of a sandbox, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .server import Sandbox


def write_client_config(sandbox: Sandbox, folder: Path, settings: Mapping[str, Any]) -> Path:
    """Write a channels.yaml for a sandbox, with the key's file beside it, and return its path.

    Args:
        sandbox: the running sandbox.
        folder: the folder to write to.
        settings: keys of channels.yaml; those under `metrix` replace the sandbox's values.
    """
    key = folder / "metrix.key"
    key.write_text(sandbox.api_key)
    key.chmod(0o600)
    credentials = {"app_id": sandbox.app_id, "api_key_file": str(key), "base_url": sandbox.url}
    config = {
        "version": 1,
        "ledger": "sqlite:///./metrix-channels.db",
        **settings,
        "metrix": {**credentials, **(settings.get("metrix") or {})},
    }
    path = folder / "channels.yaml"
    # JSON is valid YAML, and unambiguous.
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")
    return path
