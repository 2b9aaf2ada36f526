"""A dashboard in a process of its own, as the command starts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.command_line import started_command


@contextmanager
def running_dashboard(folder: Path, descriptors: int | None = None) -> Iterator[str]:
    """Start it in a folder with a configuration, with a limit of open files, and give its link."""
    with started_command("dashboard", "--port", "0", cwd=folder, descriptors=descriptors) as process:
        assert process.stdout is not None
        link = process.stdout.readline().decode().strip()
        assert link.startswith("http://127.0.0.1:"), link
        yield link
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert b"Traceback" not in err
        assert process.returncode == 0


def base_of(link: str) -> str:
    """Return the address without the token."""
    return link.partition("/?")[0]
