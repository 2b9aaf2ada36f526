"""System checks: `manage.py check` finds what `preflight --offline` finds, without a network.

A ledger in PostgreSQL needs a network, so only `check --database` checks it, like Django's own databases. A check does
not create a ledger.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from django.core import checks as django_checks
from django.core.checks import CheckMessage

from ..checks import Check, CheckStatus
from ..config import Config, ConfigFile
from ..errors import MetrixChannelsError, sentence
from ..preflight import check_files
from ..preflight.files import check_channel, check_private, check_secrets
from .settings import find_project_config, is_testing

_OF_DEPLOYMENT: Final = frozenset({"channel.verification_age", "channel.verification_ends", "file.private"})
"""Warnings that matter only in a deployed project: expiry and permissions."""


def check_project(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check configuration, secrets, channels, templates, and a ledger in a file."""
    if is_testing() and databases is not None:
        return []  # Django's test runner runs these checks, but tests send to a sandbox and need none of this
    try:
        checks, config = asyncio.run(check_files(ConfigFile(find_project_config())))
    except MetrixChannelsError as error:
        return _messages([Check.failed("config.valid", "METRIX_CHANNELS", error)])
    if config is not None and (path := config.ledger_path) is not None:
        checks += _check_ledger_file(config, path)
    return _messages(check for check in checks if check.id not in _OF_DEPLOYMENT)


def check_database(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check a ledger in PostgreSQL; `check_project` reports a configuration that cannot be used."""
    config = _usable_config()
    if config is None or config.ledger_path is not None or is_testing() or not databases:
        return []
    return _messages(_check_ledger(config))


def check_deployment(**_: Any) -> list[CheckMessage]:
    """Warn about verifications that expire soon or name no application, and about files that others can read."""
    config = _usable_config()
    if config is None:
        return []
    checks = [*check_secrets(config)]
    for channel in config.channels.values():
        checks += check_channel(config, channel)
    if config.ledger_path is not None and config.ledger_path.exists():
        checks.append(check_private(config.ledger_path))
    return _messages(check for check in checks if check.id in _OF_DEPLOYMENT)


def _usable_config() -> Config | None:
    try:
        return ConfigFile(find_project_config()).current()
    except MetrixChannelsError:
        return None


def _check_ledger_file(config: Config, path: Path) -> list[Check]:
    """Check an existing ledger; if there is none, check whether it can be created."""
    if path.exists() or path.is_symlink():
        return _check_ledger(config)
    if os.access(path.parent, os.W_OK | os.X_OK):
        return []
    message = f"The ledger cannot be created: the folder {path.parent} is missing or not writable."
    return [Check.failed_as("ledger.writable", str(path), "file_unwritable", message)]


def _check_ledger(config: Config) -> list[Check]:
    from ..preflight.run import check_ledger  # on demand, because most checks open no ledger

    return asyncio.run(check_ledger(config))


def _messages(checks: Iterable[Check]) -> list[CheckMessage]:
    kinds = {CheckStatus.FAIL: django_checks.Error, CheckStatus.WARN: django_checks.Warning}
    return [
        kinds[check.status](
            sentence(check.message), hint=check.remedy, obj=check.subject, id=f"metrix_channels.{check.id}"
        )
        for check in checks
        if check.status in kinds
    ]
