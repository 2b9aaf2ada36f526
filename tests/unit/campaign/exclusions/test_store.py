"""Who is not to be sent to: suppressed for good, or reached too often."""

import pytest

from metrix_channels.campaign.exclusions.store import ExclusionStore


@pytest.fixture
def excluded():
    made = ExclusionStore()
    yield made
    made.close()


def test_the_suppressed_are_found_among_many(excluded):
    """More than fit into one question to the database."""
    excluded.suppress((f"u{at}", "") for at in range(0, 3_000, 3))
    asked = [f"u{at}" for at in range(3_000)]
    assert excluded.suppressed(asked) == (set(asked[::3]), {})


def test_without_a_list_nobody_is_suppressed(excluded):
    """And an empty list is one."""
    assert (excluded.suppresses, excluded.suppressed(["u1"])) == (False, (set(), {}))
    excluded.suppress([])
    assert (excluded.suppresses, excluded.suppressed(["u1"])) == (True, (set(), {}))


def test_a_cap_counts_runs_within_a_time(excluded):
    """Two runs after 100 reached u1; u2 one, and one before."""
    excluded.reach(1, [("u1", 150), ("u2", 90)])
    excluded.reach(2, [("u1", 160), ("u2", 160)])
    assert excluded.capped(["u1", "u2", "u3"], 2, 100) == {"u1"}
    assert excluded.capped(["u1", "u2", "u3"], 1, 100) == {"u1", "u2"}
    assert excluded.capped(["u1", "u2", "u3"], 2, 80) == {"u1", "u2"}


def test_a_run_reaches_nobody_twice(excluded):
    """Though it is looked at twice."""
    excluded.reach(1, [("u1", 150)])
    excluded.reach(1, [("u1", 155)])
    assert excluded.capped(["u1"], 2, 0) == set()


def test_who_looks_like_somebody_on_a_list_is_told_with_the_place(excluded):
    """And is no more suppressed than anybody else."""
    excluded.suppress([("علي", "a.csv:2"), ("u1", "a.csv:3"), ("Sara", ""), ("reza", "a.csv:4")])
    assert excluded.suppressed(["علی", "U1", "sara", "reza", "u2"]) == (
        {"reza"},
        {"علی": "a.csv:2", "U1": "a.csv:3"},
    )


def test_ids_on_the_lists_are_counted_and_how_many_were_found(excluded):
    """Whom other campaigns reached is on no list."""
    excluded.suppress([("u1", "a.csv:2"), ("u2", "a.csv:3"), ("u3", "")])
    assert excluded.matches() == (2, 0)
    excluded.suppressed(["u2", "u3", "U1", "u4"])
    assert excluded.matches() == (2, 1)


def test_ids_on_the_lists_that_look_alike_are_counted(excluded):
    """With the places of the first; whom other campaigns reached is on no list."""
    excluded.suppress([("u1", "a.csv:2"), ("U1", "a.csv:3"), ("u۱", "b.csv:2"), ("u2", "a.csv:4"), ("U2", "")])
    assert excluded.alike() == (2, [("a.csv:2", "b.csv:2")])
