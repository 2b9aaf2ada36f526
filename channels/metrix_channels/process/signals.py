"""Which signals ask a process to end in good order."""

from __future__ import annotations

import signal


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return SIGINT and SIGTERM, and SIGHUP and SIGQUIT unless the process was started to ignore them.

    `nohup` does so, and a shell for what it starts in the background.
    """
    others = (signal.SIGHUP, signal.SIGQUIT)
    return signal.SIGINT, signal.SIGTERM, *(each for each in others if signal.getsignal(each) is not signal.SIG_IGN)
