"""Checks as a table: what passed together in a line, and of what fails no more than can be read."""

import pytest

from metrix_channels.checks import Check, CheckStatus, Findings
from metrix_channels.cli.ui.checks import show_checks
from metrix_channels.cli.ui.output import Output


class Walked(tuple[Check, ...]):
    """Counts how often it is walked through."""

    walks = 0

    def __iter__(self):
        self.walks += 1
        return super().__iter__()


@pytest.fixture
def shown(capsys):
    """Shows checks, and returns the text."""

    def show(checks):
        show_checks(Output(), Findings(checks))
        return capsys.readouterr().out

    return show


def checks_of(count, status):
    return Walked(
        Check("template.renders", f"t{number}", status, "So it is.", f"Do {number}.") for number in range(count)
    )


def test_many_that_passed_are_one_line(shown):
    """Their names where they fit, else their number."""
    assert shown(checks_of(3, CheckStatus.PASS)).split("renders")[1].strip() == "t0, t1, t2"
    assert "1,000 checks passed." in shown(checks_of(1_000, CheckStatus.PASS))


@pytest.mark.parametrize("status", [CheckStatus.FAIL, CheckStatus.WARN])
def test_of_many_that_failed_or_warn_the_first_are_shown(status, shown):
    """With their remedies, and how many there are besides."""
    text = shown(checks_of(1_000, status))
    assert (text.count("So it is."), text.count("→ Do")) == (50, 50)
    assert "950 more; --json lists all." in text


@pytest.mark.parametrize("status", list(CheckStatus))
def test_the_work_grows_with_the_number_of_checks_alone(status, shown):
    """50,000 templates make as many checks: none of them is compared with all the others."""
    checks = checks_of(200, status)
    shown(checks)
    assert checks.walks <= 3
