"""The service, tested against a sandbox: no network and no credentials."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from service import app

from metrix_channels.testing import MetrixConfig, Sandbox

TEMPLATES = Path(__file__).parents[1] / "templates"


@pytest.fixture
def client(
    metrix_sandbox: Sandbox, metrix_config: MetrixConfig, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    config = metrix_config(templates=TEMPLATES, metrix={"max_attempts": 2}, on_ambiguous="hold")
    monkeypatch.setenv("METRIX_CHANNELS_CONFIG", str(config))
    metrix_sandbox.test_channel("SMS")
    with TestClient(app) as client:  # `with` runs the lifespan
        yield client


def test_a_code_goes_once(client: TestClient, metrix_sandbox: Sandbox) -> None:
    order = {"code": "4821", "login": "7f3a"}
    assert client.post("/login-codes/user-42", json=order).json() == {"sent": True, "repeated": False}
    assert client.post("/login-codes/user-42", json=order).json() == {"sent": True, "repeated": True}
    [message] = metrix_sandbox.messages(recipient="user-42")
    assert "4821" in message["message"]["body"]


@pytest.mark.parametrize(("fault", "status"), [("status:401", 503), ("status:400", 422), ("drop", 202)])
def test_each_failure_has_an_answer(client: TestClient, metrix_sandbox: Sandbox, fault: str, status: int) -> None:
    metrix_sandbox.inject(fault)
    answer = client.post("/login-codes/user-42", json={"code": "4821", "login": "7f3a"})
    assert answer.status_code == status
