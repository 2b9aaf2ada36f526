"""Maps errors of PostgreSQL and of poolers to error codes and remedies.

An error of a statement has an SQLSTATE. A failed connection has only a message of the server or of libpq.
"""

from __future__ import annotations

import re
from typing import Final

import psycopg
from attrs import frozen
from psycopg.conninfo import conninfo_to_dict

from ...errors import LedgerError
from ...redact import Redactor
from .url import is_ambiguous, label_of, secrets_of

NO_ANSWER: Final = "no server connection became free"
"""The start of the error for a connection that was accepted but not served."""
_SESSION: Final = (
    "Set `pool_mode = session` for this database in the pooler (PgBouncer: a line of its own under [databases]), or"
    " point `ledger` to the server's own port. The connections that you pass to `enqueue` may use the pooler as it"
    " is."
)
_URL: Final = (
    "Write postgresql://ROLE:${{LEDGER_PASSWORD}}@HOST:PORT/DATABASE?sslmode=require. If the whole URL comes from the"
    " environment, write the characters @ / : % # ? of a password as %40 %2F %3A %25 %23 %3F."
)
_OTHERWISE: Final = (
    "Check that the database is running and has free space. Check host, port, name, role and password under `ledger`."
)
_RIGHTS: Final = (
    "As the owner of the schema, run: GRANT USAGE ON SCHEMA metrix_channels TO {role};"
    " GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA metrix_channels TO {role};"
    " GRANT USAGE ON ALL SEQUENCES IN SCHEMA metrix_channels TO {role};"
)
_LIBPQ: Final = re.compile(
    r"^host: .*?: (?=connection )|connection failed: |connection is bad: |consuming input failed: "
    r"|sending query failed: |connection to server (at|on socket) .*? failed: |\b(FATAL|ERROR): +"
)
"""The prefixes before the server's message."""
_CONNECTIONS: Final = (
    " A worker uses up to 6 connections (4 behind a pooler), any other process 1; each briefly uses one more."
)


@frozen
class Rule:
    """One kind of error.

    Attributes:
        code: of the resulting error.
        states: SQLSTATEs or their prefixes.
        words: a regular expression for the message; empty if the SQLSTATE is enough.
        remedy: with {role}, {database} and {host}; the first two are quoted as SQL identifiers.
        says: replaces an unclear message of the server.
        passes: whether the error is temporary, so that a process that has worked before tries again.
    """

    code: str
    states: tuple[str, ...]
    words: str
    remedy: str
    says: str = ""
    passes: bool = False


_RULES: Final = (
    # -- poolers
    Rule(
        "ledger_pooled",
        ("26000", "42P05"),
        "not allowed in statement pooling mode",
        _SESSION,
        "a pooler in front of the database gives each transaction another server connection",
    ),
    Rule(
        "ledger_login_refused",
        (),
        "unsupported startup parameter",
        "Remove `options` from the URL under `ledger`, or add `ignore_startup_parameters = options` to pgbouncer.ini.",
    ),
    # -- the URL; its parts are not shown, because they may belong to a password
    Rule(
        "config_value_invalid",
        (),
        r"percent-encoded|in URI|invalid URI|invalid integer value|invalid connection option|missing \"=\"|forbidden",
        _URL,
        "its URL cannot be read",
    ),
    Rule("config_value_invalid", (), r"invalid \w+ value: ", "Correct that parameter of the URL under `ledger`."),
    # -- login
    Rule(
        "ledger_login_refused",
        (),
        "no password supplied",
        "Add the password to `ledger`, from the environment: postgresql://ROLE:${{LEDGER_PASSWORD}}@HOST/DATABASE.",
    ),
    Rule(
        "ledger_login_refused",
        ("28P01",),
        "(password|SASL|SCRAM).* authentication failed|authentication failed",
        "Correct the role and the password in `ledger`. To set a new password, run: ALTER ROLE {role} PASSWORD '…';",
    ),
    Rule(
        "ledger_login_refused",
        (),
        'role ".*" does not exist|no such user',
        "Correct the role in `ledger`, or create it: CREATE ROLE {role} LOGIN PASSWORD '…';",
    ),
    Rule("ledger_login_refused", (), "not permitted to log in", "Run: ALTER ROLE {role} LOGIN;"),
    Rule(
        "ledger_login_refused",
        (),
        "no pg_hba.conf entry.*(no encryption|SSL off)",
        "If the server requires encryption, add `?sslmode=require` to the URL under `ledger`. Otherwise add a line to"
        " the server's pg_hba.conf, such as: host {database} {role} ADDRESS/32 scram-sha-256.",
    ),
    Rule(
        "ledger_login_refused",
        ("28000",),
        "pg_hba.conf",
        "Add a line to the server's pg_hba.conf that allows this machine, such as:"
        " hostssl {database} {role} ADDRESS/32 scram-sha-256; then reload the server.",
    ),
    Rule(
        "ledger_login_refused",
        (),
        "does not support SSL",
        "Turn SSL on at the server (`ssl = on`), or change `sslmode` in the URL under `ledger`. Without"
        " SSL, others on the network can read the password and all recipients.",
    ),
    Rule(
        "ledger_login_refused",
        (),
        "certificate|SSL error",
        "Check `sslmode`, `sslrootcert` and the host in the URL under `ledger` against the server's certificate.",
    ),
    Rule(
        "ledger_login_refused",
        ("3D000",),
        'database ".*" does not exist|no such database',
        "Correct the database's name in `ledger`, or create it:"
        " CREATE DATABASE {database} OWNER {role} ENCODING 'UTF8' TEMPLATE template0;",
    ),
    # -- rights
    Rule("ledger_denied", (), "CONNECT privilege", "Run: GRANT CONNECT ON DATABASE {database} TO {role};"),
    Rule(
        "ledger_denied",
        (),
        "permission denied for database",
        "As the owner of the database, run: GRANT CREATE ON DATABASE {database} TO {role}; It is needed only once. Or"
        " create the schema yourself: CREATE SCHEMA metrix_channels AUTHORIZATION {role};",
    ),
    Rule(
        "ledger_denied",
        (),
        "must be (the )?owner of",
        "This version changes the ledger's tables, and only their owner may do that. Run `metrix-channels preflight`"
        " once with the owner's role in `ledger`.",
    ),
    Rule("ledger_denied", ("42501",), "", _RIGHTS),
    # -- read-only
    Rule(
        "ledger_read_only",
        ("25006",),
        "session is (not|read-only)|server is (not )?in hot standby",
        "Point `ledger` to the primary server; with several hosts in the URL, add"
        " `?target_session_attrs=read-write`. If it is the primary, run: ALTER ROLE {role} RESET"
        " default_transaction_read_only; ALTER DATABASE {database} RESET default_transaction_read_only;",
        passes=True,
    ),
    # -- limits
    Rule(
        "ledger_connections",
        (),
        "too many connections for role",
        "Raise the role's limit: ALTER ROLE {role} CONNECTION LIMIT 50;" + _CONNECTIONS,
        passes=True,
    ),
    Rule(
        "ledger_connections",
        (),
        "too many connections for database",
        "Raise the database's limit: ALTER DATABASE {database} CONNECTION LIMIT 50;" + _CONNECTIONS,
        passes=True,
    ),
    Rule(
        "ledger_connections",
        (),
        f"{NO_ANSWER}|query_wait_timeout|max_client_conn|max_db_connections|max_user_connections",
        "Run `SHOW POOLS` and `SHOW SERVERS` in the pooler. If its server is down, start it. If all connections are in"
        " use, raise PgBouncer's default_pool_size (or pool_size of this database) and max_client_conn." + _CONNECTIONS,
        passes=True,
    ),
    Rule(
        "ledger_connections",
        ("53300",),
        "too many clients|connection slots are reserved",
        "Raise max_connections of the server, or find and end the sessions that hold connections: SELECT"
        " usename, count(*) FROM pg_stat_activity GROUP BY 1;" + _CONNECTIONS,
        passes=True,
    ),
    # -- the server's state
    Rule(
        "ledger_unavailable",
        ("57P03",),
        "starting up|recovery mode|not yet accepting",
        "Try again when the server has started: a restart takes seconds, a recovery after a crash up to minutes.",
        passes=True,
    ),
    Rule(
        "ledger_unavailable",
        ("57P01", "57P02", "57P05"),
        "shutting down|server_login_retry|cannot connect to server|server login failed|server conn crashed",
        "Start the server, or wait until it is running again.",
        passes=True,
    ),
    Rule(
        "ledger_unavailable",
        ("53100",),
        "No space left on device",
        "Free space on the disk of the database server. Nothing is sent until it can write again.",
    ),
    Rule("ledger_unavailable", ("53",), "", "Give the database server more of the resource that it ran out of."),
    Rule(
        "ledger_unavailable",
        ("42P01", "42883", "3F000"),
        "",
        "If the schema metrix_channels was dropped while this process ran, start it again. If a pooler is in front of"
        " the database, it must keep sessions (`pool_mode = session`).",
        "the tables of the ledger are missing",
    ),
    Rule("ledger_locked", ("57014", "25P03", "25P04"), "", "", passes=False),
    Rule(
        "ledger_unavailable",
        ("08",),
        "Connection refused|failed to resolve|could not translate|timeout expired|No such file or directory",
        "Check that the server is running, and check host and port in `ledger`.",
        passes=True,
    ),
)


def rule_of(error: psycopg.Error) -> Rule | None:
    """Return the rule for an error; None if there is none."""
    state, text = error.sqlstate, str(error)
    for rule in _RULES:
        if state is not None and rule.states and state.startswith(rule.states):
            return rule
        if rule.words and re.search(rule.words, text, re.IGNORECASE):
            return rule
    return None


def passes(error: psycopg.Error) -> bool:
    """Tell whether an error is temporary: the connection was lost, or none is available now."""
    rule = rule_of(error)
    if rule is not None:
        return rule.passes or error.sqlstate == "25P03"  # the server ended the transaction of a frozen process
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def explained(error: psycopg.Error, url: str) -> LedgerError:
    """Return the ledger error for an error of PostgreSQL, without the password of the URL."""
    rule = rule_of(error)
    code, remedy = (rule.code, rule.remedy) if rule is not None else ("ledger_unavailable", _OTHERWISE)
    if is_ambiguous(url):
        said, remedy = "its URL cannot be read.", _URL.format()
    else:
        redactor = Redactor(*secrets_of(url))
        said = rule.says if rule is not None and rule.says else redactor.clean(_message_of(error), "error")
        remedy = redactor.clean(filled(remedy, url), "remedy")
    _replace_text(error, said)
    return LedgerError(f"The ledger {label_of(url)} cannot be used: {said}", code=code, remedy=remedy or None)


def pooled(url: str) -> LedgerError:
    """Return the error for a pooler that does not keep sessions."""
    return explained(psycopg.errors.InvalidSqlStatementName(), url)


def filled(remedy: str, url: str) -> str:
    """Insert the names of the role and the database into a remedy."""
    known = _known(url)
    quoted = {name: '"' + known.get(name, "").replace('"', '""') + '"' for name in ("user", "dbname")}
    return remedy.format(role=quoted["user"], database=quoted["dbname"], host=known.get("host", ""))


def _known(url: str) -> dict[str, str]:
    """Return the parameters of a URL, with libpq's defaults from the environment."""
    defaults = {option.keyword.decode(): option.val for option in psycopg.pq.Conninfo.get_defaults()}
    known = {name: value.decode() for name, value in defaults.items() if value is not None}
    try:
        known |= {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.Error:
        return known
    return {"dbname": known.get("user", ""), **known}


def _message_of(error: psycopg.Error) -> str:
    *_, text = str(error).split("\n- ")  # the last of several addresses that were tried
    # The other lines are hints, the statement, or rows with values that may be sensitive.
    text, *_ = _LIBPQ.sub("", text).split("\n")
    return " ".join(text.split())


def _replace_text(error: BaseException, said: str) -> None:
    """Replace the text of an error and its causes, because a traceback shows them."""
    behind: BaseException | None = error
    while behind is not None:
        behind.args = (said,)
        behind = behind.__cause__ or behind.__context__
