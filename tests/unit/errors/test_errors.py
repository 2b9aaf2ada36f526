"""The tree of errors: stable codes, remedies, data."""

import pickle
import re
import traceback
from pathlib import Path

import pytest

from metrix_channels import errors
from metrix_channels.errors import LedgerError, MetrixChannelsError, campaign_error
from metrix_channels.errors.campaigns import CAMPAIGNS
from metrix_channels.errors.catalogue import CATALOGUE

SOURCE = Path(errors.__file__).parents[1]
EVERY_CODE_USED = {
    code
    for file in SOURCE.rglob("*.py")
    if file.parent.name != "errors" or file.name == "extras.py"
    for code in re.findall(r'"([a-z]+(?:_[a-z]+)*)"', file.read_text(encoding="utf-8"))
}


def test_each_code_that_is_raised_is_in_the_catalogue():
    """A code without an entry would have no remedy."""
    raised = {
        code
        for file in SOURCE.rglob("*.py")
        for code in re.findall(r'\bcode="([a-z_]+)"', file.read_text(encoding="utf-8"))
    }
    assert raised - set(CATALOGUE) == set()
    assert len(raised) > 20


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_each_entry_of_the_catalogue_is_used(code):
    """An entry that nothing raises would document what cannot happen."""
    assert code in EVERY_CODE_USED


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_each_entry_says_what_to_do(code):
    """Summary and remedy are sentences; the exit status is one of the contract's."""
    entry = CATALOGUE[code]
    assert entry.summary.endswith(".")
    assert entry.remedy.endswith(".")
    assert entry.exit_status in (1, 2, 3, 4)


def test_an_error_tells_what_where_and_what_to_do_now():
    """Its text has message, location, code and remedy."""
    error = LedgerError("It is gone.", code="ledger_unavailable", location="a.yaml:3:1")
    assert str(error) == "a.yaml:3:1: It is gone. [ledger_unavailable]"
    assert traceback.format_exception(error)[-1] == CATALOGUE["ledger_unavailable"].remedy + "\n"


def test_an_error_survives_a_task_queue():
    """Pickling keeps class, code, remedy and location."""
    error = LedgerError("It is gone.", code="ledger_locked", remedy="Wait.", location="x:1:1")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is LedgerError
    assert again.problem == error.problem


def test_every_public_error_is_in_the_tree_that_the_module_draws():
    """The docstring is the map; it has to be complete."""
    for name in errors.__all__:
        if name[0].isupper():
            assert issubclass(getattr(errors, name), MetrixChannelsError)
            assert name in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("there is no file", "There is no file."),
        ("channels.yaml cannot be read", "channels.yaml cannot be read."),
        ("`title` must be one line.", "`title` must be one line."),
        ("the key is wrong\n2 more:\na", "The key is wrong\n2 more:\na"),
        ("سلام", "سلام."),
    ],
)
def test_a_message_is_a_sentence(written, read):
    """However it was written down; names keep their spelling."""
    assert LedgerError(written, code="ledger_locked").message == read


@pytest.mark.parametrize("code", CAMPAIGNS)
def test_the_remedy_of_an_error_about_a_run_names_the_campaign(code):
    """In commands and in YAML, so that both can be copied; a name that the shell would split is quoted."""
    assert "NAME" not in campaign_error("It has ended.", code, "yalda").remedy
    for command in re.findall(r"campaign (?:cancel|resume|retry) .*?`", campaign_error("…", code, "a b").remedy):
        assert "'a b'" in command


def test_the_codes_that_a_class_names_are_in_the_catalogue():
    """Its docstring lists what a program may compare `error.code` with."""
    for name in errors.__all__:
        described = getattr(errors, name).__doc__ or ""
        if "Code" in described:
            named = re.findall(r"`([a-z]+(?:_[a-z]+)+)`", described.split("Code", 1)[1])
            assert set(named) <= set(CATALOGUE), name
