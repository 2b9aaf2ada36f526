"""A project with a template that greets by name."""

import pytest

from helpers.accounting_server import AccountingServer
from helpers.campaigns import Project, people


@pytest.fixture
def project(tmp_path):
    """A folder with a template; the configuration, the audience and the campaign are the test's."""
    made = Project(tmp_path)
    made.template("سلام {{ first_name }}")
    return made


@pytest.fixture
def slow(project):
    """A server that takes its time, and a campaign that takes 20 seconds unless the server is told to hurry."""
    with AccountingServer(seconds=0.2) as server:
        project.configure(server.url, batch_size=1, concurrency=4)
        project.audience(people(400))
        project.campaign()
        yield project, server
