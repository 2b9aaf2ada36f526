"""Links leave as a browser would request them: Chromium itself reads what was written and what is sent."""

import random

import pytest

from metrix_channels.adapters.links import HTTP, encode_link
from metrix_channels.errors import MessageInvalid

HOSTS = (
    *("x.ir", "EX.com", "فروشگاه.ایران", "می\u200cخواهم.ir", "☕.com", "a_b.فا.com", "xn--p1ai.ir", "faß.de", "آ۱.ir"),
    *(
        "ＡＢ.ir",
        "x。ir",
        "%D9%81.ir",
        "[::1]",
        "1.2.3.4",
        "x.ir:80",
        "user@x.ir",
        "u:پ@x.ir",
        "a\u200cb.com",
        "a-ب.com",
    ),
    *("سلامabc.ir", "\u0301a.ir", "x.ir:99999", "x<y.ir"),
)
CHARACTERS = "abAZ09-_.~!$&'()*+,;=:@/?#[]|\\^`{}<>\"% آبپیکۀ\u200c\u200dسé☕۷؟、。ß"
READ = "links => links.map(link => { try { return new URL(link).href } catch { return null } })"


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 50))])
def test_chromium_reads_the_same_link(seed, browser):
    """For each host and random paths, queries and fragments; what is refused, Chromium refuses too."""
    author = random.Random(seed)
    tails = ["".join(author.choices(CHARACTERS, k=12)).rstrip() for _ in range(40)]
    written = [f"https://{host}{author.choice('/?#')}{tail}" for host in HOSTS for tail in tails]
    sent = [encoded(link) for link in written]
    page = browser.new_page()
    assert page.evaluate(READ, written) == page.evaluate(READ, [link or "" for link in sent])
    assert all(link.isascii() for link in sent if link)
    page.close()


def encoded(link):
    try:
        return encode_link("url", link, HTTP)
    except MessageInvalid:
        return None
