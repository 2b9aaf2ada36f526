"""A FastAPI application opens its notifier when it starts, and closes it when it ends."""

from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient

from metrix_channels import ConfigError, UsageError
from metrix_channels.fastapi import NotifierDependency, notifier_lifespan


@pytest.fixture
def configured(metrix_sandbox, metrix_config, monkeypatch):
    """The environment names a configuration of a sandbox."""
    monkeypatch.setenv("METRIX_CHANNELS_CONFIG", str(metrix_config()))
    metrix_sandbox.test_channel("SMS")


def make_app(lifespan):
    app = FastAPI(lifespan=lifespan)

    @app.post("/login/{user}")
    async def login(user: str, notifier: NotifierDependency) -> str:
        receipt = await notifier.send("sms", user, text="4821", deadline=30.0)
        return receipt.outcome

    @app.websocket("/live")
    async def live(socket: WebSocket, notifier: NotifierDependency) -> None:
        await socket.accept()
        receipt = await notifier.send("sms", "u2", text="live", deadline=30.0)
        await socket.send_text(receipt.outcome)

    return app


@asynccontextmanager
async def own_lifespan(app):
    async with notifier_lifespan(app):
        app.state.ready = True
        yield


@pytest.mark.parametrize("lifespan", [notifier_lifespan, own_lifespan])
def test_path_operations_get_the_notifier(configured, metrix_sandbox, lifespan):
    """For HTTP and for WebSockets, and one for all of them; again after the application started anew."""
    app = make_app(lifespan)
    for _ in range(2):
        with TestClient(app) as client:
            assert client.post("/login/u1").json() == "accepted"
            with client.websocket_connect("/live") as socket:
                assert socket.receive_text() == "accepted"
    assert len(metrix_sandbox.messages()) == 4


def test_an_application_without_the_lifespan_is_told_what_to_write(configured):
    """It would be an AttributeError otherwise."""
    with pytest.raises(UsageError) as caught:
        TestClient(make_app(None)).post("/login/u1")
    assert "FastAPI(lifespan=notifier_lifespan)" in str(caught.value.remedy)


def test_a_wrong_configuration_keeps_the_application_from_starting(configured, tmp_path, monkeypatch):
    """Rather than each of its requests from being answered."""
    monkeypatch.setenv("METRIX_CHANNELS_CONFIG", str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError), TestClient(make_app(notifier_lifespan)):
        pass
