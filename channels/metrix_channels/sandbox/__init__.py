"""A stand-in for Metrix for development and tests: as strict as Metrix, with an inbox and simulated faults.

It shares no code with the client, so that one does not hide a mistake of the other.

    with Sandbox() as sandbox:
        sandbox.test_channel("SMS")      # the dashboard's test button
        ...                              # POST to sandbox.url + "/push"
        assert sandbox.messages(recipient="user-42")[0]["delivered"]
"""

from __future__ import annotations

from ..errors.extras import missing_extra

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ModuleNotFoundError as _error:
    raise missing_extra(
        f"The sandbox needs the package {_error.name!r}, which is not installed.", "sandbox"
    ) from _error

from .server import Sandbox, serve

__all__ = ["Sandbox", "serve"]
