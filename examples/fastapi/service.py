"""A service that sends login codes: `uvicorn service:app --workers 4`."""

from typing import Annotated

from fastapi import Body, FastAPI, HTTPException

from metrix_channels import DeliveryError, OutcomeUnknown, Rejected
from metrix_channels.fastapi import NotifierDependency, notifier_lifespan

app = FastAPI(lifespan=notifier_lifespan)


@app.post("/login-codes/{user}", status_code=202)
async def send_login_code(
    user: str, code: Annotated[str, Body()], login: Annotated[str, Body()], notifier: NotifierDependency
) -> dict[str, bool]:
    """Send the code of a login. A repeated request sends nothing again, because the login is the key."""
    try:
        receipt = await notifier.send("sms", user, "otp", {"code": code}, key=f"login-{login}", deadline=3.0)
    except OutcomeUnknown:  # it may arrive: let the user wait before asking for another code
        return {"sent": True, "repeated": False}
    except Rejected as error:
        raise HTTPException(422, "No message can be sent to this user.") from error
    except DeliveryError as error:  # nothing was sent: the caller may ask again
        raise HTTPException(503, "Please try again in a minute.", {"Retry-After": "60"}) from error
    return {"sent": True, "repeated": receipt.repeated}
