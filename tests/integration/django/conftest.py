"""A Django project for each test."""

import pytest

from helpers.django_project import make_django_project


@pytest.fixture
def project(tmp_path):
    """A project that could send, if its Metrix answered."""
    return make_django_project(tmp_path)
