"""The next rows are planned while the last ones are written."""

import asyncio

import pytest

from metrix_channels.campaign.plan import planning
from metrix_channels.errors import CampaignError, LedgerError

PLAN_FAILED = CampaignError("A row cannot be rendered.", code="plan_failed")
LEDGER_FULL = LedgerError("The disk is full.", code="ledger_unavailable")


async def lasts(seconds, result, ended):
    await asyncio.sleep(seconds)
    ended.append(result)
    if isinstance(result, Exception):
        raise result
    return result


def together(planned, written, *, planning_lasts):
    """Both results or the error, and which of both had ended by then."""
    ended = []

    async def run():
        step = lasts(0.02 if planning_lasts else 0, planned, ended)
        return await planning._both(step, lasts(0 if planning_lasts else 0.02, written, ended))

    try:
        return asyncio.run(run()), ended
    except (CampaignError, LedgerError) as error:
        return error, ended


@pytest.mark.parametrize("planning_lasts", [False, True])
def test_both_results_are_returned(planning_lasts):
    """Whichever takes longer."""
    result, ended = together("rows", None, planning_lasts=planning_lasts)
    assert result == ("rows", None)
    assert len(ended) == 2


@pytest.mark.parametrize("planning_lasts", [False, True])
@pytest.mark.parametrize(
    ("planned", "written", "raised"),
    [
        (PLAN_FAILED, None, PLAN_FAILED),
        ("rows", LEDGER_FULL, LEDGER_FULL),
        (PLAN_FAILED, LEDGER_FULL, LEDGER_FULL),
    ],
)
def test_an_error_waits_until_both_have_ended(planned, written, raised, planning_lasts):
    """So that the failed plan is removed with all its parts; the ledger's error concerns earlier rows."""
    result, ended = together(planned, written, planning_lasts=planning_lasts)
    assert result is raised
    assert len(ended) == 2
