"""Requests as Metrix documents them."""

import pytest

from metrix_channels.api import encode, request_headers


def test_a_request_asks_for_json_without_compression_and_shows_no_key():
    """A compressed answer would have to be undone before it is known how large it is."""
    assert request_headers("app-1", "metrix-channels/1") == {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "metrix-channels/1",
        "X-Application-Id": "app-1",
        "X-API-Key": "***",
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_carry_is_refused_before_it_is_sent(value):
    """Python itself would write `NaN`, which no other parser takes."""
    with pytest.raises(ValueError):  # noqa: PT011 - UnicodeEncodeError is one
        encode({"body": value})
