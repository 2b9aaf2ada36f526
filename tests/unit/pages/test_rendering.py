"""Pages from templates: escaped, strict, and self-contained where they stand alone."""

import pytest
from jinja2 import UndefinedError

from metrix_channels.pages import Renderer, Words, asset

RENDERER = Renderer("metrix_channels.support")


def test_a_file_holds_its_stylesheet_and_no_script():
    """Nothing else is needed to see it."""
    page = RENDERER.file("preview.html.j2", Words("en"), template="offer", sets=[])
    assert asset("style.css") in page
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")


def test_values_are_escaped():
    """Also in attributes."""
    page = RENDERER.file("preview.html.j2", Words("en"), template='"><script>alert(1)</script>', sets=[])
    assert "<script" not in page


def test_a_missing_value_is_an_error():
    """Never a gap in a page."""
    with pytest.raises(UndefinedError):
        RENDERER.file("preview.html.j2", Words("en"), template="offer")


def test_the_stylesheet_loads_nothing():
    """No font, no picture, from nowhere."""
    assert "url(" not in asset("style.css")
    assert "@import" not in asset("style.css")
