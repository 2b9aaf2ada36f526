"""Programs that send single messages, one a process: a bare HTTP client, and the product in the ways it is used.

    python benchmarks/senders.py NAME SENDS URL [DATABASE_URL]

It prints, as JSON, what its sends cost once everything is open: seconds, CPU seconds, and how many they were. The
folder that it starts in becomes the project's. `DATABASE_URL` puts the ledger into PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

TASKS: Final = 50
THREADS: Final = 16
PROCESSES: Final = 4
WARM_UP: Final = 50
"""Sends before those that count: connections are open by then, templates compiled, the ledger made."""
TEXT: Final = "سلام {{ name }}، کد ورود شما {{ code }} است."
HEADERS: Final = {"X-Application-Id": "app", "X-API-Key": "key", "Content-Type": "application/json"}


def body(number: int) -> bytes:
    """Return the body that the product sends for a message."""
    text = TEXT.replace("{{ name }}", "سارا").replace("{{ code }}", str(number))
    return json.dumps({"channel": "SMS", "recipients": [f"user-{number}"], "message": {"body": text}}).encode()


@contextmanager
def counted(sends: int) -> Iterator[None]:
    """Print what the block cost this process and its threads."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    yield
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "sends": sends, "memory": after.ru_maxrss / 1024}))


def project(url: str, database: str | None = None, home: Path = Path()) -> None:
    """Write a project, unless it is there already."""
    os.environ["KEY"] = "key-of-the-benchmark"
    if (home / "channels.yaml").exists():
        return
    (home / "templates" / "otp").mkdir(parents=True)
    (home / "templates" / "otp" / "sms.txt.j2").write_text(TEXT, encoding="utf-8")
    ledger = f"ledger: '{database}'\n" if database else ""
    metrix = f"{{app_id: app, api_key: '${{KEY}}', base_url: '{url}', concurrency: 64}}"
    (home / "channels.yaml").write_text(
        f"version: 1\nmetrix: {metrix}\n{ledger}channels: {{sms: {{type: sms, verified: true}}}}\n"
    )


def httpx_client(sends: int, url: str, *_: str) -> None:
    """One connection, one request after the other."""
    import httpx

    with httpx.Client(trust_env=False) as client:
        for number in range(WARM_UP):
            client.post(f"{url}/push", content=body(number), headers=HEADERS)
        with counted(sends):
            for number in range(sends):
                client.post(f"{url}/push", content=body(number), headers=HEADERS).raise_for_status()


def httpx_tasks(sends: int, url: str, *_: str) -> None:
    """Tasks with a client each: one client for all of them is slower."""
    import httpx

    async def main() -> None:
        clients = [httpx.AsyncClient(trust_env=False) for _ in range(TASKS)]

        async def send(worker: int, number: int) -> None:
            answer = await clients[worker].post(f"{url}/push", content=body(number), headers=HEADERS)
            answer.raise_for_status()

        await spread(send, WARM_UP)
        with counted(sends):
            await spread(send, sends)

    asyncio.run(main())


def one_after_the_other(sends: int, url: str, *database: str) -> None:
    """`Notifier.send` in a loop."""
    from metrix_channels import Notifier

    project(url, *database)
    with Notifier.from_config("channels.yaml") as notifier:
        for number in range(WARM_UP):
            notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number})
        with counted(sends):
            for number in range(sends):
                notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number})


def with_keys(sends: int, url: str, *database: str) -> None:
    """The same, each with a key."""
    from metrix_channels import Notifier

    project(url, *database)
    name = os.getpid()
    with Notifier.from_config("channels.yaml") as notifier:
        for number in range(WARM_UP):
            notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number}, key=f"{name} w {number}")
        with counted(sends):
            for number in range(sends):
                notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number}, key=f"{name} {number}")


def tasks(sends: int, url: str, *database: str) -> None:
    """`AsyncNotifier.send` in many tasks."""
    from metrix_channels import AsyncNotifier

    project(url, *database)

    async def main() -> None:
        async with AsyncNotifier.from_config("channels.yaml") as notifier:

            async def send(_: int, number: int) -> None:
                await notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number})

            await spread(send, WARM_UP)
            with counted(sends):
                await spread(send, sends)

    asyncio.run(main())


def threads(sends: int, url: str, *database: str) -> None:
    """One `Notifier` in many threads."""
    from metrix_channels import Notifier

    project(url, *database)
    with Notifier.from_config("channels.yaml") as notifier:

        def run(numbers: range) -> None:
            for number in numbers:
                notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number})

        def together(count: int) -> None:
            workers = [threading.Thread(target=run, args=(range(first, count, THREADS),)) for first in range(THREADS)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()

        together(WARM_UP)
        with counted(sends):
            together(sends)


async def spread(send: Callable[[int, int], Awaitable[None]], count: int) -> None:
    """Let the tasks share the numbers."""

    async def run(worker: int) -> None:
        for number in range(worker, count, TASKS):
            await send(worker, number)

    await asyncio.gather(*map(run, range(TASKS)))


SENDERS: Final = {
    "httpx": httpx_client,
    "httpx-tasks": httpx_tasks,
    "send": one_after_the_other,
    "keys": with_keys,
    "tasks": tasks,
    "threads": threads,
}

if __name__ == "__main__":
    SENDERS[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
