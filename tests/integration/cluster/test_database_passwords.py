"""The database's password may hold any character: it comes from the environment as it is, and is shown nowhere."""

import re

import psycopg
import pytest
from psycopg import sql

from helpers.accounting_server import AccountingServer
from helpers.cluster import on_postgres
from helpers.command_line import run_command
from helpers.encodings import shown
from helpers.postgres import execute

PASSWORDS = {
    "what divides a URL": "zq7k@xv/9w:pl?mn#tr",
    "what looks encoded": "zq7k%41xv%zz%00",
    "brackets and blanks": "zq7k [xv]\\9w {pl}",
    "what divides a query": "zq7k&xv=9w+pl;mn",
    "quotes": "zq7k'xv\"9w`pl$mn",
    "Persian": "گذرواژه‌ی@۱۴۰۴/پایگاه",
}
LEDGERS = {
    "beside the role": "postgresql://${ROLE}:${LEDGER_PASSWORD}@${HOST}/${NAME}",
    "as a parameter": "postgresql://${ROLE}@${HOST}/${NAME}?password=${LEDGER_PASSWORD}",
}


@pytest.fixture
def role(debian_url):
    """Makes a role that may use the empty database, with some password; returns what the environment says of it."""
    known = psycopg.conninfo.conninfo_to_dict(debian_url)
    name = known["dbname"]

    def make(password):
        with psycopg.connect(debian_url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
            connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(name), role))
        host = f"127.0.0.1:{known['port']}"
        return {"ROLE": "shop@9/a", "LEDGER_PASSWORD": password, "HOST": host, "NAME": name}

    role = sql.Identifier("shop@9/a")
    yield make
    with psycopg.connect(debian_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


def pieces_in(text, password):
    """Return what is shown of a password: the whole in some encoding, or a piece of it."""
    pieces = [piece for piece in re.split(r"[^\w]", password) if len(piece) > 2]
    return shown(text, password) + [piece for piece in pieces if piece in text]


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=list(PASSWORDS))
def test_a_password_with_any_character_connects_and_is_not_shown(password, role, project, debian_url):
    """Through every verb that opens the ledger, with all that -vv says."""
    environ = role(password)
    with AccountingServer() as server:
        project.configure(server.url)
        on_postgres(project, LEDGERS["beside the role"])
        send = ("send", "sms", "--to", "u1", "--template", "offer", "--set", "first_name=a")
        said = ""
        for verb in (send, ("preflight", "--json"), ("ledger", "check")):
            result = run_command(*verb, "-vv", cwd=project.folder, env=environ)
            assert result.status in (0, 1), result.err
            said += result.out + result.err
    assert server.account == {"u1": 1}
    assert execute(debian_url, "SELECT count(*) FROM metrix_channels.sends") == [(1,)]
    assert pieces_in(said, password) == []


@pytest.mark.parametrize("ledger", LEDGERS.values(), ids=list(LEDGERS))
@pytest.mark.parametrize("fault", ["another password", "no server"])
def test_what_fails_shows_nothing_of_the_password(ledger, fault, role, project):
    """The server refuses it, or is not there: the library and the job queue speak of the connection then."""
    password = PASSWORDS["what divides a URL"]
    environ = role("another") | {"LEDGER_PASSWORD": password}
    if fault == "no server":
        environ["HOST"] = "127.0.0.1:9"
    project.configure("http://127.0.0.1:9")
    on_postgres(project, ledger)
    said = ""
    verbs = [("preflight", "--json"), ("send", "sms", "--to", "u1", "--template", "offer", "--set", "first_name=a")]
    for verb in verbs if fault == "no server" else [*verbs, ("worker",)]:
        result = run_command(*verb, "-vv", cwd=project.folder, env=environ)
        assert result.status != 0
        said += result.out + result.err
    assert ("ledger_login_refused" if fault == "another password" else "ledger_unavailable") in said
    assert pieces_in(said, password) == []


@pytest.mark.parametrize(
    "password", ["zq7k@xv9w", "zq7k/xv9w", "zq7k%xv9w", "zq7k?xv=9w", "12/zq7k", "12/zq7k?xv=9w", "zq7k@12/xv9w?pl=mn"]
)
def test_a_whole_url_whose_parts_are_not_certain_is_refused_before_anything_is_looked_up(password, project):
    """Taken as it is, a piece of the password would be the host's name; the error says what to write."""
    project.configure("http://127.0.0.1:9")
    on_postgres(project, "${LEDGER_URL}")
    environ = {"LEDGER_URL": f"postgresql://shop:{password}@127.0.0.1:9/shop"}
    for verb in ("preflight", "worker"):
        result = run_command(verb, "-vv", cwd=project.folder, env=environ)
        assert result.status in (2, 3)
        assert "%40" in result.out + result.err
        assert pieces_in(result.out + result.err, password) == []
