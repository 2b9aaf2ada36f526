"""The catalogue of situations, from which errors, preflight, doctor, explain and the docs are drawn."""

import re

import pytest

from metrix_channels.errors.answers import ANSWERS, DELIVERY, QUESTIONS
from metrix_channels.errors.catalogue import CATALOGUE, SITUATIONS


@pytest.mark.parametrize("code", CATALOGUE)
def test_what_an_error_carries_has_an_exit_status(code):
    """The command line ends with it."""
    assert CATALOGUE[code].exit_status in (1, 2, 3, 4)


@pytest.mark.parametrize("code", SITUATIONS)
def test_an_entry_says_what_happened_and_what_to_do_in_sentences(code):
    """And names only codes that there are."""
    situation = SITUATIONS[code]
    assert re.fullmatch(r"[0-9a-z_]+", code)
    for text in (situation.summary, situation.remedy, *situation.reasons):
        assert re.match(r"[A-Z`$]|base_url|rate_limit", text), text
        assert text.endswith((".", "`"))
        assert "  " not in text
    assert set(situation.leads_to) <= set(CATALOGUE)


@pytest.mark.parametrize("code", SITUATIONS)
def test_no_remedy_sends_the_reader_back_to_the_message(code):
    """Somebody who asks for the remedy has read the message."""
    assert not re.search(r"as the message says|the message names|as it says", SITUATIONS[code].remedy)


@pytest.mark.parametrize("code", [*DELIVERY, *ANSWERS, *QUESTIONS])
def test_what_comes_from_metrix_has_reasons(code):
    """The likeliest first; and a page that the rule comes from, but where it is our own."""
    assert SITUATIONS[code].reasons
    assert SITUATIONS[code].source or code == "deadline_passed"


def test_every_answer_that_is_told_apart_is_explained():
    """Those of Metrix's page, those of HTTP that mean something of their own here, and silence."""
    wanted = {"200", "3xx", "400", "401", "403", "404", "405", "408", "413", "429", "5xx"}
    assert wanted | {"timeout", "connection", "dns", "tls"} == set(ANSWERS)
