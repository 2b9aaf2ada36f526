"""Both wires: each test of this folder that takes `wire` or `post` runs over the core's and over the fast one."""

from functools import partial

import pytest

from helpers.project import post as post_through
from metrix_channels.api import open_transport
from metrix_channels.api.transports.httpx_transport import HttpxTransport


def _fast(endpoint, redactor):
    pytest.importorskip("httptools")
    return open_transport(endpoint, redactor, fast=True)


@pytest.fixture(params=[HttpxTransport, _fast], ids=["core", "fast"])
def wire(request):
    """What opens a transport."""
    return request.param


@pytest.fixture
def post(wire):
    """Make one attempt over the wire."""
    return partial(post_through, wire=wire)
