"""The application with a worker in separate processes, as in production; files replace the broker."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from metrix_channels.testing import MetrixConfig, Sandbox

SHOP = Path(__file__).parents[1]
TIME = 60.0


def wait_until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + TIME
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def folder(tmp_path: Path, metrix_sandbox: Sandbox, metrix_config: MetrixConfig) -> Path:
    shutil.copy(SHOP / "shop.py", tmp_path)
    (tmp_path / "queue").mkdir()
    metrix_config(templates=SHOP / "templates")
    metrix_sandbox.test_channel("SMS")
    return tmp_path


@pytest.fixture
def environment(folder: Path, metrix_config: MetrixConfig) -> dict[str, str]:
    config = metrix_config(templates=SHOP / "templates", metrix={"max_attempts": 1})
    return {**os.environ, "SHOP_BROKER": "filesystem://", "METRIX_CHANNELS_CONFIG": str(config)}


@pytest.fixture
def worker(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "--app", "shop", "worker", "--concurrency", "2", "--loglevel", "WARNING"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    yield
    process.terminate()
    process.communicate(timeout=TIME)


def order(folder: Path, environment: dict[str, str], *numbers: int) -> None:
    """Confirm some orders, like a web process."""
    code = "".join(f"shop.confirm_order('user-42', 'سارا', {number})\n" for number in numbers)
    subprocess.run(
        [sys.executable, "-c", f"import shop\n{code}"], cwd=folder, env=environment, check=True, timeout=TIME
    )


def test_the_worker_sends_each_order_once(
    folder: Path, environment: dict[str, str], worker: None, metrix_sandbox: Sandbox
) -> None:
    """One order is confirmed twice, and both processes of the worker send."""
    order(folder, environment, 1, 1, 2)
    wait_until(lambda: len(metrix_sandbox.messages(recipient="user-42")) == 2)
    wait_until(lambda: not list((folder / "queue").iterdir()))
    texts = sorted(message["message"]["body"] for message in metrix_sandbox.messages())
    assert texts == ["سلام سارا، سفارش 1 ثبت شد.", "سلام سارا، سفارش 2 ثبت شد."]


def test_an_outage_delays_a_message(
    folder: Path, environment: dict[str, str], worker: None, metrix_sandbox: Sandbox
) -> None:
    """The worker retries by itself, after 8 to 15 seconds."""
    metrix_sandbox.inject("status:503;retry-after=0")
    order(folder, environment, 3)
    wait_until(lambda: metrix_sandbox.messages(recipient="user-42"))
    assert len(metrix_sandbox.requests()) == 2
