"""The counts of many events: they add up at every moment."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.delivery import Result
from metrix_channels.errors import problem
from metrix_channels.events import Event
from metrix_channels.notifier.events.report import Counts
from metrix_channels.outcomes import EventReceipt, Outcome

EVENT = Event(("customUserId", "u"), "action", {"customName": "x"}, 1_795_000_000_000)


def receipt(outcome):
    error = None if outcome is Outcome.ACCEPTED else problem("rejected", "no")
    return EventReceipt("i", "u", "action", datetime.now(UTC), outcome, 1, 200, False, error)


def result(*, halts):
    return Result(("i",), Outcome.NOT_SENT, 1, None, False, problem("unavailable", "busy"), halts)


@given(st.lists(st.sampled_from([*Outcome, "repeated", "left out"]), max_size=300))
def test_the_counts_add_up(steps):
    """Whatever becomes of each; at most a hundred failures are named."""
    counts = Counts(len(steps))
    for number, step in enumerate(steps, start=1):
        if step == "repeated":
            counts.repeat(number, EVENT)
        elif step == "left out":
            counts.leave_out(1)
        else:
            counts.count(number, receipt(step))
        report = counts.report()
        assert sum(report.counts().values()) == report.events == len(steps)
    report = counts.report()
    assert report.pending == 0
    assert len(report.failures) <= 100
    assert report.as_dict()["events"] == len(steps)


def test_the_first_halt_counts():
    """What follows it is its consequence."""
    counts = Counts(3)
    counts.end_batch([result(halts=False)])
    assert counts.halted_by is None
    counts.end_batch([result(halts=True)])
    assert counts.report().halted_by.code == "unavailable"
    assert counts.report().batches == 2
