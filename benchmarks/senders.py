"""Programs that send single messages, one a process: a bare HTTP client, a floor, and the product in its uses.

    python benchmarks/senders.py NAME SENDS URL [CA_FILE]

It prints, as JSON, what its sends cost once everything is open: seconds, CPU seconds, how many they were, and the peak
memory in MB after a tenth of them and after all. The product reads `channels.yaml` in the folder that it starts in.
`CA_FILE` is the authority that the bare client trusts.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sqlite3
import ssl
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
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


def counted(sends: int) -> Iterator[range]:
    """Yield the numbers of the first tenth, then the others; print what they cost this process and its threads."""
    memory = []
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for numbers in (range(sends // 10), range(sends // 10, sends)):
        yield numbers
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "sends": sends, "memory": memory}))


def trust(ca: str | None) -> ssl.SSLContext | bool:
    """Return what the bare client trusts."""
    return ssl.create_default_context(cafile=ca) if ca else True


def httpx_client(sends: int, url: str, ca: str | None = None) -> None:
    """One connection, one request after the other."""
    import httpx

    with httpx.Client(trust_env=False, verify=trust(ca)) as client:
        for number in range(WARM_UP):
            client.post(f"{url}/push", content=body(number), headers=HEADERS)
        for numbers in counted(sends):
            for number in numbers:
                client.post(f"{url}/push", content=body(number), headers=HEADERS).raise_for_status()


def floor(sends: int, url: str, ca: str | None = None) -> None:
    """The bare client between two commits of a row, which is what a send cannot do without; all in one thread."""
    import httpx

    ledger = sqlite3.connect("floor.db", isolation_level=None)
    ledger.execute("PRAGMA journal_mode = WAL")
    ledger.execute("PRAGMA synchronous = FULL")
    ledger.execute("CREATE TABLE sends (id INTEGER PRIMARY KEY, recipient TEXT NOT NULL, outcome TEXT)")

    with httpx.Client(trust_env=False, verify=trust(ca)) as client:

        def send(number: int) -> None:
            row = ledger.execute("INSERT INTO sends (recipient) VALUES (?)", (f"user-{number}",)).lastrowid
            client.post(f"{url}/push", content=body(number), headers=HEADERS).raise_for_status()
            ledger.execute("UPDATE sends SET outcome = 'accepted' WHERE id = ?", (row,))

        for number in range(WARM_UP):
            send(number)
        for numbers in counted(sends):
            for number in numbers:
                send(number)


def httpx_tasks(sends: int, url: str, ca: str | None = None) -> None:
    """Tasks with a client each: one client for all of them is slower."""
    import httpx

    async def main() -> None:
        verify = trust(ca)
        clients = [httpx.AsyncClient(trust_env=False, verify=verify) for _ in range(TASKS)]

        async def send(worker: int, number: int) -> None:
            answer = await clients[worker].post(f"{url}/push", content=body(number), headers=HEADERS)
            answer.raise_for_status()

        await spread(send, range(WARM_UP))
        for numbers in counted(sends):
            await spread(send, numbers)

    asyncio.run(main())


def one_after_the_other(sends: int, *_: str) -> None:
    """`Notifier.send` in a loop."""
    from metrix_channels import Notifier

    with Notifier.from_config("channels.yaml") as notifier:
        for number in range(WARM_UP):
            notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number})
        for numbers in counted(sends):
            for number in numbers:
                notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number})


def with_keys(sends: int, *_: str) -> None:
    """The same, each with a key."""
    from metrix_channels import Notifier

    name = os.getpid()
    with Notifier.from_config("channels.yaml") as notifier:
        for number in range(WARM_UP):
            notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number}, key=f"{name} w {number}")
        for numbers in counted(sends):
            for number in numbers:
                notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number}, key=f"{name} {number}")


def tasks(sends: int, *_: str) -> None:
    """`AsyncNotifier.send` in many tasks."""
    from metrix_channels import AsyncNotifier

    async def main() -> None:
        async with AsyncNotifier.from_config("channels.yaml") as notifier:

            async def send(_: int, number: int) -> None:
                await notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number})

            await spread(send, range(WARM_UP))
            for numbers in counted(sends):
                await spread(send, numbers)

    asyncio.run(main())


def threads(sends: int, *_: str) -> None:
    """One `Notifier` in many threads."""
    from metrix_channels import Notifier

    with Notifier.from_config("channels.yaml") as notifier:

        def run(numbers: range) -> None:
            for number in numbers:
                notifier.send("sms", f"user-{number}", "otp", {"name": "سارا", "code": number})

        def together(numbers: range) -> None:
            workers = [threading.Thread(target=run, args=(numbers[first::THREADS],)) for first in range(THREADS)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()

        together(range(WARM_UP))
        for numbers in counted(sends):
            together(numbers)


async def spread(send: Callable[[int, int], Awaitable[None]], numbers: range) -> None:
    """Let the tasks share the numbers."""

    async def run(worker: int) -> None:
        for number in numbers[worker::TASKS]:
            await send(worker, number)

    await asyncio.gather(*map(run, range(TASKS)))


SENDERS: Final = {
    "httpx": httpx_client,
    "floor": floor,
    "httpx-tasks": httpx_tasks,
    "send": one_after_the_other,
    "keys": with_keys,
    "tasks": tasks,
    "threads": threads,
}

if __name__ == "__main__":
    SENDERS[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
