"""Rows that cannot be sent: all of them are read before it is said, and equal ones are tried once."""

import pytest

from metrix_channels.campaign.plan.faults import Faults
from metrix_channels.errors import CampaignError, TemplateError


def test_a_plan_with_faults_names_every_reason():
    """The most frequent first, with its first lines; the remedy is that of the first."""
    faults = Faults()
    rare = faults.of(("x",), TemplateError("one", code="template_undefined", location="a:1:1", remedy="mend a"))
    faults.add(rare, [7], 20)
    often = faults.of(("y",), TemplateError("two", code="template_value_refused", location="a:2:1", remedy="mend b"))
    faults.add(often, [2, 3, 4], 20)
    faults.add(often, [5, 6, 8], 20)
    assert faults.known(("y",)) is often
    assert faults.known(("z",)) is None
    with pytest.raises(CampaignError) as caught:
        faults.require_none(20)
    assert caught.value.message.split("\n") == [
        "7 of 20 rows cannot be sent, so nothing was sent:",
        "6 rows (lines 2, 3, 4, 5, 6, …): Two. [template_value_refused]",
        "1 row (line 7): One. [template_undefined]",
    ]
    assert (caught.value.remedy, caught.value.location) == ("mend b", "a:2:1")


def test_a_plan_that_would_not_end_is_given_up():
    """Each such row took its two seconds."""
    faults = Faults()
    slow = faults.of((), TemplateError("slow", code="template_too_costly"))
    faults.add(slow, range(9), 9)
    with pytest.raises(CampaignError) as caught:
        faults.add(slow, [10], 10)
    assert caught.value.code == "plan_failed"


def test_a_plan_without_faults_goes_on():
    """Nothing is said."""
    Faults().require_none(5)


def test_a_name_that_the_audience_does_not_have_is_answered_with_its_columns():
    """The template says `first_name`, the sheet says نام: whoever reads the error sees both."""
    faults = Faults(("شناسه", "نام"))
    error = TemplateError("`first_name` is not defined", code="template_undefined")
    faults.add(faults.of(("x",), error), [2], 1)
    with pytest.raises(CampaignError) as caught:
        faults.require_none(1)
    assert "the columns شناسه, نام. Rename a column" in caught.value.remedy


def test_a_column_that_a_template_cannot_name_is_shown():
    """A header such as `First Name` has a space, which no name in a template has."""
    faults = Faults(("شناسه", "First Name", "نام خانوادگی"))
    faults.add(faults.of(("x",), TemplateError("`name` is not defined", code="template_undefined")), [2], 1)
    with pytest.raises(CampaignError) as caught:
        faults.require_none(1)
    assert "has spaces or signs: First Name, نام خانوادگی. Rename" in caught.value.remedy
