"""Error codes for what the machine or the process lacks."""

from __future__ import annotations

from typing import Final

from .situation import Situation

MACHINE: Final[dict[str, Situation]] = {
    "thread_refused": Situation(
        "The process cannot start another thread.",
        "Call `join()` on the threads that send, before the main thread ends. Send the first message before `atexit`"
        " functions run. If the process has too many threads, raise its limit.",
        4,
        reasons=(
            "The process is ending: its main thread has ended.",
            "The process has reached its thread limit: see `ulimit -u`, or the limit of the container.",
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
        "The child process that renders templates with a time limit cannot be started.",
        "If no interpreter was found, set `sys.executable` before the first message, for example"
        " `sys.executable = '/usr/bin/python3'`; under uWSGI, `virtualenv` in its settings is enough. If a limit was"
        " reached, raise it. Send nothing after the process has begun to end.",
        2,
        reasons=(
            "Python is embedded in another program, or the program is frozen, and no interpreter was found.",
            "The process has reached its limit of processes or open files: see `ulimit -u` and `ulimit -n`.",
            "The process is ending: since Python 3.12, an ending process cannot start another one.",
        ),
    ),
}
