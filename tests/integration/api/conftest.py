"""Both transports: each test of this folder that takes `wire` or `post` runs over each; a proxy leaves it to httpx."""

from functools import partial

import pytest

from helpers.project import post as post_through
from metrix_channels.api import open_transport
from metrix_channels.api.transports.httpx_transport import HttpxTransport


@pytest.fixture(params=[HttpxTransport, open_transport], ids=["httpx", "httptools"])
def wire(request):
    """What opens a transport."""
    return request.param


@pytest.fixture
def post(wire):
    """Make one attempt over the wire."""
    return partial(post_through, wire=wire)
