"""Reads the setting `METRIX_CHANNELS`, and finds the configuration: the project's, or in tests one for a sandbox."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from django.conf import settings

from ..config import find_config as find_usual_config
from ..errors import ConfigError

_WRITE: Final = 'Write METRIX_CHANNELS = {"CONFIG": BASE_DIR / "channels.yaml"} in the settings of the project.'


def is_testing() -> bool:
    """Return whether this process runs tests of the project, with Django's runner or pytest-django."""
    utils = sys.modules.get("django.test.utils")
    # Django sets this attribute while its test environment is set up.
    return utils is not None and hasattr(utils._TestState, "saved_data")  # noqa: SLF001


def find_config() -> Path:
    """Return the path of the configuration to use now.

    Raises:
        ConfigError: config_missing, config_key_unknown, config_value_invalid; in tests also errors in the file.
    """
    path = find_project_config()
    if not is_testing():
        return path
    from .testing import sandbox_config

    return sandbox_config(path)


def find_project_config() -> Path:
    """Return the path of the project's own configuration.

    Raises:
        ConfigError: config_missing, config_key_unknown, config_value_invalid.
    """
    try:
        return find_usual_config(configured_path())
    except ConfigError as error:
        if error.code != "config_missing":
            raise
        remedy = f"Run `python manage.py metrix init` to create one. {_WRITE}"
        raise ConfigError(error.message, code=error.code, remedy=remedy) from None


def configured_path() -> Path | None:
    """Return the path in the setting, even if the file does not exist; None if the setting has no path.

    Raises:
        ConfigError: config_key_unknown, config_value_invalid.
    """
    given = getattr(settings, "METRIX_CHANNELS", {})
    if not isinstance(given, dict):
        raise ConfigError("METRIX_CHANNELS is not a dict", code="config_value_invalid", remedy=_WRITE)
    if unknown := sorted(str(key) for key in given if key != "CONFIG"):
        message = f"METRIX_CHANNELS has the unknown key {unknown[0]!r}; its only key is 'CONFIG'"
        raise ConfigError(message, code="config_key_unknown", remedy=_WRITE)
    config = given.get("CONFIG")
    if config is not None and not isinstance(config, str | os.PathLike):
        raise ConfigError("METRIX_CHANNELS['CONFIG'] is not a path", code="config_value_invalid", remedy=_WRITE)
    return None if config is None else Path(config)
