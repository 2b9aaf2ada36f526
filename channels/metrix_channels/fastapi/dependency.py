"""The notifier as a dependency of path operations."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection

from ..errors import UsageError
from ..notifier.asynchronous import AsyncNotifier
from .lifespan import STATE


def get_notifier(connection: HTTPConnection) -> AsyncNotifier:
    """Return the notifier of the application, for a path operation or a WebSocket.

    Args:
        connection: the request or WebSocket, passed by FastAPI.

    Raises:
        UsageError: the application does not run with `notifier_lifespan`.
    """
    notifier = getattr(connection.app.state, STATE, None)
    if not isinstance(notifier, AsyncNotifier):
        raise UsageError(
            "The application has no notifier.",
            code="usage",
            remedy="Write FastAPI(lifespan=notifier_lifespan). In tests, write `with TestClient(app) as client:`.",
        )
    return notifier


NotifierDependency = Annotated[AsyncNotifier, Depends(get_notifier)]
"""The type of a parameter that gets the notifier: `notifier: NotifierDependency`."""
