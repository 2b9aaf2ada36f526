"""For FastAPI: a lifespan that opens a notifier and a dependency that hands it out; docs/fastapi.md shows how.

    from metrix_channels.fastapi import NotifierDependency, notifier_lifespan

    app = FastAPI(lifespan=notifier_lifespan)


    @app.post("/login")
    async def login(user: str, notifier: NotifierDependency) -> None:
        await notifier.send("sms", to=user, template="otp", context={"code": "4821"}, deadline=3.0)

The configuration is looked for when the application starts.
"""

from __future__ import annotations

from .dependency import NotifierDependency, get_notifier
from .lifespan import notifier_lifespan

__all__ = ["NotifierDependency", "get_notifier", "notifier_lifespan"]
