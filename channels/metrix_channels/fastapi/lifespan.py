"""Opens the notifier of a FastAPI application when it starts, and closes it when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from ..notifier.asynchronous import AsyncNotifier

STATE: Final = "metrix_notifier"
"""The attribute of `app.state` that holds the notifier."""


@asynccontextmanager
async def notifier_lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open a notifier when the application starts, and close it when the application ends.

    It reads the configuration from `$METRIX_CHANNELS_CONFIG`, or from ./channels.yaml. Pass it as
    `FastAPI(lifespan=notifier_lifespan)`, or enter it in your own lifespan: `async with notifier_lifespan(app): yield`.
    Each worker process has its own notifier.

    Args:
        app: the application whose path operations get the notifier.

    Raises:
        ConfigError: the configuration is missing or wrong, so the application does not start.
    """
    async with AsyncNotifier.from_config() as notifier:
        setattr(app.state, STATE, notifier)
        try:
            yield
        finally:
            delattr(app.state, STATE)
