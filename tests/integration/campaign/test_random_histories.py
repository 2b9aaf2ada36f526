"""Random histories of a campaign whose processes die after any commit: the report agrees with what Metrix accepted."""

import os

import pytest

from helpers.histories import History

SEED = int(os.environ.get("METRIX_CHANNELS_TEST_SEED", "1"))


def test_a_random_history(project):
    """A sample of `make long`."""
    History(project, SEED, "either").play(4)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["hold", "retry", "either"])
@pytest.mark.parametrize("number", range(1, 41))
def test_many_random_histories(project, mode, number):
    """Longer ones, 40 in each mode."""
    History(project, SEED + number, mode).play(7)
