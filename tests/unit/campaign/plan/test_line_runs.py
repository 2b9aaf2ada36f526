"""The lines of a chunk without some of its rows: as a list would have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.campaign.plan.line_runs import LineRuns


@given(st.data())
def test_it_equals_the_list_of_the_lines_that_are_kept(data):
    """Whether the lines have gaps or not, and whichever rows are left out: first, last, neighbours, all."""
    gapless = st.builds(range, st.just(7), st.integers(7, 19))
    lines = data.draw(gapless | st.lists(st.integers(2, 40), unique=True).map(sorted))
    without = data.draw(st.sets(st.sampled_from(range(len(lines)))).map(sorted)) if lines else []
    kept = [line for at, line in enumerate(lines) if at not in without]
    runs = LineRuns(lines, without)
    assert list(runs) == [runs[at] for at in range(len(runs))] == kept
    some = data.draw(st.builds(slice, *[st.none() | st.integers(-13, 13)] * 2))
    assert runs[some] == kept[some]
    assert [line for run in runs.runs for line in run] == kept


def test_a_chunk_of_a_csv_needs_one_run_more_than_rows_are_left_out():
    """So that a number costs something only where somebody asks for it."""
    assert LineRuns(range(2, 1_000), [3, 4, 500]).runs == [range(2, 5), range(7, 502), range(503, 1_000)]


def test_a_slice_reads_only_its_own_lines(monkeypatch):
    """A plan asks for one line of each row that it skips: it must not go through a whole chunk for each of them."""
    runs = LineRuns(range(2, 1_000), [3])
    read = []
    monkeypatch.setattr(LineRuns, "__iter__", lambda runs: read.append(runs) or iter(()))
    assert runs[500:502] == [503, 504]
    assert read == []


def test_a_place_outside_is_an_error():
    """As in a list."""
    with pytest.raises(IndexError):
        LineRuns(range(2, 4))[2]
