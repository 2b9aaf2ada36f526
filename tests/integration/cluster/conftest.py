"""A project whose ledger is in PostgreSQL."""

import pytest

from helpers.accounting_server import AccountingServer
from helpers.campaigns import Project
from helpers.outbox import StepwiseOutbox


@pytest.fixture
def project(tmp_path):
    """A folder with a template; configuration, audience and campaign are the test's."""
    made = Project(tmp_path)
    made.template("سلام {{ first_name }}")
    return made


@pytest.fixture
def outbox(project, postgres_url):
    """A ledger, a server, and workers in this process."""
    with AccountingServer() as server:
        made = StepwiseOutbox(project, postgres_url, server)
        yield made
        made.close()
