"""Log lines: for people, for handlers that write JSON, and for a support bundle."""

import logging
import subprocess
import sys

import pytest

from metrix_channels.logs import recent_lines, say


def test_a_line_carries_its_facts_twice(caplog):
    """At its end for people, and as attributes for handlers; None is left out."""
    caplog.set_level(logging.INFO, "metrix_channels")
    say(logging.INFO, "It was accepted.", attempt="a1", channel="sms", campaign=None, duration=0.25, recipients=500)
    [record] = caplog.records
    assert record.getMessage() == "It was accepted. attempt=a1 channel=sms duration=0.250 recipients=500"
    assert (record.attempt, record.duration) == ("a1", 0.25)
    assert not hasattr(record, "campaign")


@pytest.mark.parametrize(("text", "shown"), [("a\nb", r"a\nb"), ("a\x1b[2J", r"a\x1b[2J"), ("\u202eabc", r"\u202eabc")])
def test_what_is_logged_is_one_line_that_draws_nothing(text, shown):
    """Line breaks, escapes and direction marks are written out; Persian with its joiners is not."""
    say(logging.DEBUG, f"می‌خواهم {text}", campaign=text)
    assert recent_lines()[-1].split(" ", 2)[2].startswith(f"می‌خواهم {shown} campaign={shown}")


def test_the_last_lines_are_remembered_though_nobody_listens():
    """A hundred of them, with time and level, the newest last."""
    for number in range(150):
        say(logging.DEBUG, f"line {number}")
    lines = recent_lines()
    assert len(lines) == 100
    assert lines[-1].endswith("Z DEBUG line 149")


def test_a_program_that_configures_no_logging_hears_nothing():
    """Not even of warnings."""
    code = "import logging; from metrix_channels.logs import say; say(logging.WARNING, 'It failed.')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
