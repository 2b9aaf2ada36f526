"""Which links may leave."""

import pytest

from metrix_channels.adapters import adapter_for
from metrix_channels.adapters.links import HTTP, check_html_links, encode_link
from metrix_channels.errors import MessageInvalid
from metrix_channels.models import ChannelType


@pytest.mark.parametrize("url", ["https://example.com", "http://example.com/سلام?a=b#c", "HTTPS://EXAMPLE.com/x"])
def test_http_links_pass(url):
    """With Persian paths too."""
    assert encode_link("url", url, HTTP)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.com/A?b=%20%D8%B3&c[]=1#d/e?f", "HTTPS://Example.com/A?b=%20%D8%B3&c[]=1#d/e?f"),
        ("https://x.ir/می\u200cخواهم", "https://x.ir/%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85"),
        ("https://x.ir/?q=سارا ا", "https://x.ir/?q=%D8%B3%D8%A7%D8%B1%D8%A7%20%D8%A7"),
        ("https://x.ir/#آ", "https://x.ir/#%D8%A2"),
        ("https://x.ir#?آ", "https://x.ir#?%D8%A2"),
        ("https://x.ir?آ#", "https://x.ir?%D8%A2#"),
        (
            "https://x.ir/{a}^`|\"<>'?{a}^`|\"<>'#{a}^`|\"<>'",
            "https://x.ir/%7Ba%7D%5E%60|%22%3C%3E'?{a}^`|%22%3C%3E%27#{a}^%60|%22%3C%3E'",
        ),
        ("https://x.ir/100%", "https://x.ir/100%"),
        ("https://x.ir/👨\u200d👩", "https://x.ir/%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9"),
        ("https://فروشگاه.ایران:8080/x", "https://xn--mgbtj4c7ad63e.xn--mgba3a4f16a:8080/x"),
        ("https://می\u200cخواهم.ir", "https://xn--mgbn2ecje63gr19l.ir"),
        ("https://ex_ample.فروش.com", "https://ex_ample.xn--wgbg1b3a.com"),
        ("https://☕.com", "https://xn--53h.com"),
        ("https://faß.de", "https://xn--fa-hia.de"),
        ("https://%D9%81.ir", "https://xn--dhb.ir"),
        ("https://ＥＸ.com", "https://ex.com"),
        ("https://[::1]:80/آ", "https://[::1]:80/%D8%A2"),
        ("https://a:ب@x.ir/", "https://a:%D8%A8@x.ir/"),
        ("https://a@b@x.ir/", "https://a%40b@x.ir/"),
        ("https://x.ir\\@evil.com/", "https://x.ir/@evil.com/"),
    ],
)
def test_links_are_sent_as_a_browser_requests_them(written, sent):
    """Hosts in Punycode, the rest percent-encoded part by part, nothing twice."""
    assert encode_link("url", written, HTTP) == sent
    assert encode_link("url", sent, HTTP) == sent


def test_links_of_a_message_are_encoded_wherever_they_stand():
    """The link itself, images, and what buttons open; an app's own links too."""
    fields = {
        "title": "می\u200cخواهم",
        "body": "https://x.ir/آ",
        "url": "https://x.ir/آ",
        "images": [{"url": "https://x.ir/آ.png"}],
        "buttons": [{"label": "ببینید", "link": "myshop://سفارش/۷?q=ا ب#آ"}],
    }
    assert adapter_for(ChannelType.WEB_PUSH).compose(fields).fields == fields | {
        "url": "https://x.ir/%D8%A2",
        "images": [{"url": "https://x.ir/%D8%A2.png"}],
        "buttons": [
            {"label": "ببینید", "link": "myshop://%D8%B3%D9%81%D8%A7%D8%B1%D8%B4/%DB%B7?q=%D8%A7%20%D8%A8#%D8%A2"}
        ],
    }


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
        "https://example.com/a\u200fb",
        "https://example.com/a\xa0b",
        "https://example.com/ ",
        "https://a\u200cb.com",
        "https://\u0301a.com",
        "https://x.ir:99999",
        "https://x.ir:۸۰",
        "https://[zz]/",
        "https://[:::]/",
        "https://a<b.com",
        "https://%D9.ir",
        "https://" + "آ" * 70,
        "https://256.1.1.1/",
        "https://1.2.3/",
        "https://1.2.3.4.5/",
        "https://1.2.3.08/",
        "https://0x7f.1/",
        "https://999999999999/",
        "https://x.123/",
        "https://x..ir/",
        "https://.ir/",
        "https://example.com..",
        "https://x.ir:0/",
        "https://" + "a" * 64 + ".ir",
        "https://" + "a." * 127 + "ir",
        "https://a,b.com",
        "https://www.x.ir,https://y.ir",
        "https://x.ir;a",
        "https://exam$ple.com",
        "http://http://x.ir",
        "https://https//x.ir",
    ],
)
def test_everything_else_is_refused(url):
    """Scripts in every spelling, links without a host, an app's scheme outside push."""
    with pytest.raises(MessageInvalid) as caught:
        encode_link("url", url, HTTP)
    assert caught.value.code == "link_refused"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "http://localhost:8025/x",
        "http://intranet/x",
        "https://x.ir./",
        "https://x.ir:/",
        "https://1.2.3.4.ir",
    ],
)
def test_a_host_may_be_an_address_or_a_name_within_a_network(url):
    """Nobody can tell from outside which names a network knows."""
    assert encode_link("url", url, HTTP) == url


def test_push_may_open_the_app():
    """An app's own scheme is a link in push; a script never is."""
    encode_link("url", "myshop://orders/7", HTTP, any_app=True)
    with pytest.raises(MessageInvalid):
        encode_link("url", "javascript:alert(1)", HTTP, any_app=True)


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://example.com">x</a>',
        '<a href="mailto:a@example.com">x</a>',
        '<a href="#top">x</a>',
        "<img src='https://example.com/a.png'>",
        "<p>javascript: the good parts; data: 5</p>",
        '<p data-src="x">y</p>',
        '<a href=" https://example.com/a b ">x</a>',
        '<img srcset="https://example.com/a.png 1x, https://example.com/b.png 2x">',
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
        '<a href="https://exa mple.com">x</a>',
        '<img src="https://256.1.1.1/a.png">',
    ],
)
def test_mail_with_a_link_that_runs_is_refused(html):
    """Entities, white space, missing quotes: as a browser would read it."""
    with pytest.raises(MessageInvalid) as caught:
        adapter_for(ChannelType.EMAIL).compose({"title": "t", "body": html})
    assert caught.value.code == "link_refused"
