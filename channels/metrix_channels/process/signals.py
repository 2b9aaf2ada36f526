"""The signals that ask a process to shut down."""

from __future__ import annotations

import signal


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return SIGINT and SIGTERM, and SIGHUP and SIGQUIT unless the process ignores them.

    `nohup`, and shells that start a process in the background, make it ignore them.
    """
    others = (signal.SIGHUP, signal.SIGQUIT)
    return signal.SIGINT, signal.SIGTERM, *(each for each in others if signal.getsignal(each) is not signal.SIG_IGN)
