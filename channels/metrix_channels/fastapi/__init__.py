"""A FastAPI lifespan that opens a notifier, and a dependency that returns it; docs/fastapi.md shows how to use them.

    from metrix_channels.fastapi import NotifierDependency, notifier_lifespan

    app = FastAPI(lifespan=notifier_lifespan)


    @app.post("/login")
    async def login(user: str, notifier: NotifierDependency) -> None:
        await notifier.send("sms", to=user, template="otp", context={"code": "4821"}, deadline=3.0)

The application reads the configuration when it starts.
"""

from __future__ import annotations

from .dependency import NotifierDependency, get_notifier
from .lifespan import notifier_lifespan

__all__ = ["NotifierDependency", "get_notifier", "notifier_lifespan"]
