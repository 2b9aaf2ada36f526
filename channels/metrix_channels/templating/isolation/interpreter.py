"""Which programs could be the Python that renders apart.

`sys.executable` need not be one: a program that embeds Python puts its own path there, or nothing, and a frozen program
would start itself again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path


def interpreters() -> Iterator[str]:
    """Return the paths of this process's Python, the likeliest first; none where it has none."""
    found = dict.fromkeys(path for path in _candidates() if _looks_like_python(path))
    return iter(found)


def _candidates() -> Iterator[str]:
    if not getattr(sys, "frozen", False):
        yield sys.executable or ""
    # The interpreter behind a virtual environment's.
    yield str(getattr(sys, "_base_executable", None) or "")
    for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix):
        for name in (f"python{sys.version_info.major}.{sys.version_info.minor}", "python3", "python"):
            yield str(Path(prefix, "bin", name))


def _looks_like_python(path: str) -> bool:
    """Tell by its name: to run it would do whatever else it does."""
    name = Path(path).name.lower()
    is_named_so = name.startswith(("python", "pypy"))
    return is_named_so and Path(path).is_absolute() and Path(path).is_file() and os.access(path, os.X_OK)
