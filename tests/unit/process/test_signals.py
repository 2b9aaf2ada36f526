"""The signals that ask a process to end."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, signal, sys
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), signal.SIG_IGN)
from metrix_channels.process.signals import ending_signals
print(json.dumps([number.name for number in ending_signals()]))
"""


@pytest.mark.parametrize(
    ("ignored", "expected"),
    [
        ([], ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]),
        (["SIGHUP"], ["SIGINT", "SIGTERM", "SIGQUIT"]),
        (["SIGHUP", "SIGQUIT", "SIGINT"], ["SIGINT", "SIGTERM"]),
    ],
)
def test_what_was_ignored_at_the_start_stays_ignored(ignored, expected):
    """By nohup, or by the shell that put the process into the background."""
    found = subprocess.run([sys.executable, "-c", PROGRAM, *ignored], capture_output=True, text=True, timeout=60)
    assert json.loads(found.stdout) == expected
