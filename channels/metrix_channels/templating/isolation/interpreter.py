"""Finds a Python interpreter for the child process.

`sys.executable` need not be one: a program that embeds Python sets it to its own path or to nothing, and a frozen
program would start itself again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path


def interpreters() -> Iterator[str]:
    """Yield the possible paths of this process's Python interpreter, the most likely first."""
    found = dict.fromkeys(path for path in _candidates() if _looks_like_python(path))
    return iter(found)


def _candidates() -> Iterator[str]:
    if not getattr(sys, "frozen", False):
        yield sys.executable or ""
    # The base interpreter of a virtual environment.
    yield str(getattr(sys, "_base_executable", None) or "")
    for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix):
        for name in (f"python{sys.version_info.major}.{sys.version_info.minor}", "python3", "python"):
            yield str(Path(prefix, "bin", name))


def _looks_like_python(path: str) -> bool:
    """Tell by the name whether a program is Python, because another program must not be run."""
    name = Path(path).name.lower()
    is_named_so = name.startswith(("python", "pypy"))
    return is_named_so and Path(path).is_absolute() and Path(path).is_file() and os.access(path, os.X_OK)
