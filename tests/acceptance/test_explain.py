"""`explain`: the catalogue in the terminal."""

import pytest

from metrix_channels.errors.catalogue import SITUATIONS


def test_a_code_is_explained(metrix):
    """What happened, why, what to do, where it is written."""
    result = metrix("explain", "credentials_refused")
    assert result.status == 0
    for words in ("Metrix refused the credentials.", "1. ", "white list", "Application Settings", "section 1"):
        assert words in result.out


@pytest.mark.parametrize(
    ("asked", "found"), [("403", "403"), ("502", "5xx"), ("204", "200"), ("422", "400"), ("301", "3xx"), ("DNS", "dns")]
)
def test_an_answer_is_explained_as_the_one_that_it_is_like(metrix, asked, found):
    """Every status has somebody who speaks for it."""
    document = metrix("explain", asked, "--json").document
    assert document["code"] == found
    assert document["remedy"]


def test_without_a_code_all_are_listed(metrix):
    """With --json whole."""
    assert all(code in metrix("explain").out for code in SITUATIONS)
    assert [each["code"] for each in metrix("explain", "--json").document["situations"]] == list(SITUATIONS)


def test_a_code_that_is_none_is_an_error_with_a_suggestion(metrix):
    """Without a configuration, too."""
    result = metrix("explain", "credential_refused", "--json")
    assert result.status == 2
    assert "'credentials_refused'" in result.document["error"]["remedy"]


def test_the_leaked_key_has_its_procedure(metrix):
    """Change its type to Client, create a new one."""
    out = metrix("explain", "key_leaked").out
    assert out.index("type to Client") < out.index("create a new server key")
