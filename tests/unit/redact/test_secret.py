"""A secret never prints."""

import copy
import pickle

import pytest

from metrix_channels.redact import MASK, Secret

KEY = 'k+9/"Zq=~server%key'


@pytest.mark.parametrize("show", [repr, str, "{}".format, lambda secret: f"{[secret]}"])
def test_a_secret_prints_as_a_mask(show):
    """Neither alone nor inside a container."""
    assert KEY not in show(Secret(KEY))
    assert MASK in show(Secret(KEY))


def test_a_secret_cannot_be_pickled_or_copied_into_a_file():
    """A task queue's broker is no place for a key."""
    with pytest.raises(TypeError):
        pickle.dumps(Secret(KEY))
    with pytest.raises(TypeError):
        copy.deepcopy({"key": Secret(KEY)})
