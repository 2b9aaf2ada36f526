"""Charts: drawn to scale, with hostile labels as text."""

import re

from metrix_channels.pages import Bar, Series, outcome_bar, over_time


def widths(drawn):
    return {kind: float(width) for kind, width in re.findall(r'fill-(\w+)" x="[\d.]+" y="0" width="([\d.]+)"', drawn)}


def test_a_bar_is_drawn_to_scale():
    """What is not there is not drawn."""
    drawn = outcome_bar([Bar("accepted", "accepted", 750, "750"), Bar("unknown", "unknown", 250, "250"),
                         Bar("rejected", "rejected", 0, "0")], "Outcomes")  # fmt: skip
    assert {kind: width for kind, width in widths(drawn).items() if kind != "rest"} == {"accepted": 750, "unknown": 250}


def test_one_of_a_million_is_still_seen():
    """It is what somebody looks for; and the whole is still whole."""
    drawn = widths(outcome_bar([Bar("accepted", "a", 10**6, "1"), Bar("unknown", "u", 1, "1")], "Outcomes"))
    assert drawn["unknown"] >= 5
    assert abs(drawn["accepted"] + drawn["unknown"] - 1000) < 0.2


def test_labels_are_escaped():
    """Wherever they stand."""
    hostile = '"><script>'
    drawn = outcome_bar([Bar("accepted", hostile, 1, hostile)], hostile)
    drawn += over_time([Series("accepted", hostile, [1])], hostile, first=hostile, last=hostile, most=hostile)
    assert "<script>" not in drawn
    assert drawn.count("&lt;script&gt;") >= 6


def test_the_highest_column_reaches_the_top():
    """Columns are stacked: the sum counts."""
    drawn = over_time(
        [Series("accepted", "a", [1, 3]), Series("unknown", "u", [0, 1])], "t", first="", last="", most=""
    )
    accepted, unknown = re.findall(r'd="(.*?)"', drawn)
    assert unknown.startswith("M500.0 63.0V11.0")  # from three quarters up to the top
    assert accepted.count("M") == 2


def test_without_columns_there_is_no_chart():
    """Nothing is drawn."""
    assert over_time([], "t", first="", last="", most="") == ""
