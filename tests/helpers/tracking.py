"""Events of one user from processes of their own, many threads in each."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

from metrix_channels import Notifier

_CONTEXT = multiprocessing.get_context("forkserver")


def track_in_processes(config: Path, *, processes: int, threads: int, calls: int, events: int) -> None:
    """Track events of `user-42`, all threads of all processes at the same moment.

    Args:
        config: the configuration that they share.
        processes: so many.
        threads: of each process.
        calls: of each thread.
        events: of each call; one is sent by `track`, several by `track_many`.
    """
    together = _CONTEXT.Barrier(processes * threads)
    arguments = (config, threads, calls, events, together)
    running = [_CONTEXT.Process(target=_process, args=arguments) for _ in range(processes)]
    for process in running:
        process.start()
    for process in running:
        process.join(300)
        assert process.exitcode == 0


def _process(config: Path, threads: int, calls: int, events: int, together: threading.Barrier) -> None:
    failed: list[BaseException] = []
    with Notifier.from_config(config) as notifier:

        def work() -> None:
            try:
                together.wait(60)
                for _ in range(calls):
                    if events == 1:
                        notifier.track("user-42", name="page_seen")
                    else:
                        report = notifier.track_many([{"user": "user-42", "name": "page_seen"}] * events)
                        assert report.accepted == events, report
            except BaseException as error:
                failed.append(error)
                raise

        running = [threading.Thread(target=work) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    if failed:
        raise failed[0]
