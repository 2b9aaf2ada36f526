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
    "platform_unsupported": Situation(
        "This system is not supported.",
        "Run it on Linux or macOS; on Windows, within WSL (`wsl --install`).",
        2,
    ),
    "time_zones_missing": Situation(
        "The machine has no time zone database.",
        "Run `pip install tzdata`, or install the system's own package `tzdata`.",
        2,
    ),
    "temporary_unwritable": Situation(
        "A temporary file cannot be written.",
        "Set TMPDIR to a writable folder with free space.",
        2,
    ),
    "renderer_unavailable": Situation(
        "The child process that renders templates of unknown cost cannot be started.",
        "Set `sys.executable` to the path of the Python interpreter before the first message, for example"
        " `sys.executable = '/usr/bin/python3'`. Under uWSGI, `virtualenv` in its settings is enough.",
        2,
        reasons=(
            "Python is embedded in another program, or frozen into one, and no interpreter is there.",
            "The system refuses another process or file descriptor: see `ulimit -u` and `ulimit -n`.",
            "The process is ending: from Python 3.12 on, none can be started any more.",
        ),
    ),
}
