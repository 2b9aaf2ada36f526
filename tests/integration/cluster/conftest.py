"""A project whose ledger is in PostgreSQL."""

import pytest

from helpers.campaigns import Project


@pytest.fixture
def project(tmp_path):
    """A folder with a template; configuration, audience and campaign are the test's."""
    made = Project(tmp_path)
    made.template("سلام {{ first_name }}")
    return made
