"""Secrets never show, in any encoding."""

import base64
import copy
import json
import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.redact import MASK, Redactor, Secret

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


@pytest.mark.parametrize(
    "encoded",
    [KEY, quote(KEY), quote(KEY, safe=""), quote(KEY, safe="").lower(), json.dumps(KEY), KEY.encode().hex()],
)
def test_the_redactor_finds_a_secret_in_text(encoded):
    """As it is, URL encoded, JSON encoded, and in hexadecimal."""
    cleaned = Redactor(Secret(KEY)).clean(f"before {encoded} after")
    assert cleaned.replace('"', "") == f"before {MASK} after"


@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_the_redactor_finds_a_secret_inside_base64(before, after):
    """Wherever in the encoded bytes it stands, nothing is left that decodes to it."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        cleaned = Redactor(Secret(KEY)).clean(encode(before + KEY.encode() + after).decode())
        assert MASK in cleaned
        assert len(cleaned) < len(encode(before + after)) + 12


def test_without_secrets_text_stays_as_it_is():
    """An empty secret must not match everywhere."""
    assert Redactor(Secret("")).clean("text") == "text"
