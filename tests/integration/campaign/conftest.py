"""A project with a template that greets by name."""

import pytest

from support.campaigns import Project


@pytest.fixture
def project(tmp_path):
    """A folder with a template; the configuration, the audience and the campaign are the test's."""
    made = Project(tmp_path)
    made.template("سلام {{ first_name }}")
    return made
