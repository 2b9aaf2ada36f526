"""URLs from the environment: values encoded for their place, and what cannot be read for certain."""

from urllib.parse import unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from metrix_channels.config.environment import substitute
from metrix_channels.config.kinds import PROXY
from metrix_channels.config.urls import is_readable

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(user=TEXT, password=TEXT, name=TEXT, parameter=TEXT)
def test_whatever_a_value_holds_it_stays_in_its_part(user, password, name, parameter):
    """PostgreSQL's own library reads each part as it was meant."""
    environ = {"USER": user, "PASSWORD": password, "NAME": name, "PARAMETER": parameter}
    written = "postgresql://${USER}:${PASSWORD}@db.example.com:5432/${NAME}?application_name=${PARAMETER}"
    url = substitute(written, environ, is_url=True)
    known = conninfo_to_dict(url)
    found = known["user"], known["password"], known["dbname"], known["application_name"], known["host"], known["port"]
    assert found == (user, password, name, parameter, "db.example.com", "5432")
    assert is_readable(url)


@given(password=TEXT)
def test_a_proxy_is_told_the_password_as_it_is(password):
    """The whole of it, whatever it holds."""
    url = substitute("http://me:${PASSWORD}@proxy.example.com:3128", {"PASSWORD": password}, is_url=True)
    assert httpx.Proxy(PROXY.parse(url)).raw_auth == (b"me", password.encode())
    assert unquote(urlsplit(url).password or "") == password


@pytest.mark.parametrize(
    ("written", "value", "url"),
    [
        ("${V}", "postgresql://u:a%40b@h/d", "postgresql://u:a%40b@h/d"),
        ("postgresql://u@${V}/d", "h1:5432,h2:5433", "postgresql://u@h1:5432,h2:5433/d"),
        ("postgresql://u@${V}:5432/d", "::1", "postgresql://u@[::1]:5432/d"),
        ("postgresql://u@[${V}]:5432/d", "::1", "postgresql://u@[::1]:5432/d"),
        ("postgresql://u@${V}/d", "/var/run/postgresql", "postgresql://u@%2Fvar%2Frun%2Fpostgresql/d"),
        ("postgresql://u@h:${V}/d", "5432", "postgresql://u@h:5432/d"),
        ("postgresql://u@h/d?${V}", "sslmode=require&connect_timeout=3", None),
        ("${V}?sslmode=require", "postgresql://u:a%40b@h/d", "postgresql://u:a%40b@h/d?sslmode=require"),
        ("${V}://u@h/d", "postgresql", "postgresql://u@h/d"),
        ("https://${V}", "entry.metrix.ir", "https://entry.metrix.ir"),
        ("sqlite:///${V}/a.db", "/srv/پوشه %41", "sqlite:////srv/پوشه %41/a.db"),
        ("${V}/a b.db", "sqlite:////srv", "sqlite:////srv/a b.db"),
        ("postgresql://u:${V}@h/d", "\udcff", "postgresql://u:%FF@h/d"),
    ],
)
def test_each_place_has_its_encoding(written, value, url):
    """A whole URL, or its beginning, is taken as it is; so are a SQLite file's path and several parameters."""
    assert substitute(written, {"V": value}, is_url=True) == (url or written.replace("${V}", value))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@ss@h/d",
        "postgresql://u:pa/ss@h/d",
        "postgres://u:12/34@h/d",
        "postgresql://u:12/34?a=b@h/d",
        "postgresql://u:a@b/c?d=e@h/d",
        "postgresql://h?password=p@ss",
        "postgresql://u:50%@h/d",
        "postgresql://u:%zz@h/d",
        "postgresql://u:%00@h/d",
        "postgresql://u:%FF@h/d",
        "postgresql://h/d#s3cret",
        "postgresql://u@h/d?a=b#s3cret",
        "postgresql://h#s3cret/d",
        "postgresql://u:p@h#s3cret/d",
        "postgresql://h/d;password=s3cret",
        "postgresql://h/d&password=s3cret",
        "postgresql://u;s3cret/d",
    ],
)
def test_a_url_whose_parts_are_not_certain(url):
    """A piece of the password could be taken for something else."""
    assert not is_readable(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40ss%2F@h/d?sslmode=require",
        "postgresql://u:p#ss@h/d",
        "postgresql://u:p:ss[@h/d",
        "postgresql:///d?host=/tmp",
        "postgresql://h1:1,h2:2/d",
        "postgresql://u%40azure:p@h/d",
        "postgresql://u:p;q=r&s#t@h/d%23e?application_name=a;b",
    ],
)
def test_a_url_whose_parts_are_certain(url):
    """Each `@` and `/` stands in its place."""
    assert is_readable(url)


@pytest.mark.parametrize("proxy", ["http://u:p@ss@h:1", "http://u:12?x@h:1", "http://u:12#x@h:1", "http://u:1/x@h:2"])
def test_a_proxy_whose_parts_are_not_certain_is_refused(proxy):
    """The client would connect to a piece of the password, and the doctor would show it."""
    with pytest.raises(ValueError, match="expected http"):
        PROXY.parse(proxy)
