"""What the machine and the process lack: the codes of these situations."""

from __future__ import annotations

from typing import Final

from .situation import Situation

MACHINE: Final[dict[str, Situation]] = {
    "thread_refused": Situation(
        "The process cannot start another thread.",
        "Join the threads that send before the main thread ends, and do not send for the first time in `atexit`.",
        4,
        reasons=(
            "The process is ending: the main thread is over.",
            "The system's limit of threads is reached: see `ulimit -u`, or the limit of the container.",
        ),
    ),
}
