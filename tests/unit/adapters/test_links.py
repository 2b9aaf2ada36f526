"""Which links may leave."""

import pytest

from metrix_channels.adapters import adapter_for
from metrix_channels.adapters.links import HTTP, check_html_links, check_link
from metrix_channels.errors import MessageInvalid
from metrix_channels.models import ChannelType


@pytest.mark.parametrize("url", ["https://example.com", "http://example.com/سلام?a=b#c", "HTTPS://EXAMPLE.com/x"])
def test_http_links_pass(url):
    """With Persian paths too."""
    check_link("url", url, HTTP)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "//example.com",
        "/orders/7",
        "example.com",
        "",
        "https://",
        "https:///path",
        "https://exa mple.com",
        "https://example.com/\u202egpj.exe",
        "myshop://orders",
    ],
)
def test_everything_else_is_refused(url):
    """Scripts in every spelling, links without a host, an app's scheme outside push."""
    with pytest.raises(MessageInvalid) as caught:
        check_link("url", url, HTTP)
    assert caught.value.code == "link_refused"


def test_push_may_open_the_app():
    """An app's own scheme is a link in push; a script never is."""
    check_link("url", "myshop://orders/7", HTTP, any_app=True)
    with pytest.raises(MessageInvalid):
        check_link("url", "javascript:alert(1)", HTTP, any_app=True)


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://example.com">x</a>',
        '<a href="mailto:a@example.com">x</a>',
        '<a href="#top">x</a>',
        "<img src='https://example.com/a.png'>",
        "<p>javascript: the good parts; data: 5</p>",
        '<p data-src="x">y</p>',
    ],
)
def test_mail_with_ordinary_links_passes(html):
    """Text that merely mentions a scheme is text."""
    check_html_links("body", html)


@pytest.mark.parametrize(
    "html",
    [
        '<a href="javascript:alert(1)">x</a>',
        "<a href='&#106;avascript:alert(1)'>x</a>",
        '<a href=" java\nscript:alert(1)">x</a>',
        "<a href=javascript:alert(1)>x</a>",
        '<img src="data:image/png;base64,AAAA">',
        '<form action="ftp://example.com">',
        '<a title="x"href="vbscript:x">y</a>',
    ],
)
def test_mail_with_a_link_that_runs_is_refused(html):
    """Entities, white space, missing quotes: as a browser would read it."""
    with pytest.raises(MessageInvalid) as caught:
        adapter_for(ChannelType.EMAIL).compose({"title": "t", "body": html})
    assert caught.value.code == "link_refused"
