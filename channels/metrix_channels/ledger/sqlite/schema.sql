-- Which file this is, by inode and generation: a copy has others, and nothing is sent from it until it is adopted.
CREATE TABLE file (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    identity TEXT NOT NULL
) STRICT;

-- One row a call of `send`. `state` is `open` while recipients are without an outcome; `owner` names the process
-- that works on it and is NULL when none does. `checksum` covers what a wrong bit must not change.
-- `outgoing` is a message of the outbox, whole; it is forgotten once it has its outcome. `due_at` is when the message may
-- go; NULL for at once.
CREATE TABLE sends (
    id          TEXT PRIMARY KEY,
    app_id      TEXT NOT NULL,
    key         TEXT,
    fingerprint BLOB NOT NULL,
    channel     TEXT NOT NULL,
    template    TEXT NOT NULL,
    recipients  TEXT NOT NULL,
    message     TEXT,
    created_at  TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'settled')),
    owner       TEXT,
    receipts    TEXT,
    outgoing    TEXT,
    due_at      TEXT,
    checksum    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX sends_by_key ON sends (app_id, key) WHERE key IS NOT NULL;
CREATE INDEX waiting_sends ON sends (app_id, due_at) WHERE state = 'open' AND outgoing IS NOT NULL;

-- In the transaction of the outcome, whoever writes it: no crash leaves the text behind.
CREATE TRIGGER forget_outgoing AFTER UPDATE ON sends WHEN NEW.state = 'settled' AND NEW.outgoing IS NOT NULL
BEGIN UPDATE sends SET outgoing = NULL WHERE id = NEW.id; END;

-- One row an HTTP request, written before its first byte leaves. `disposition` is NULL until its end is known.
CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    send        TEXT NOT NULL REFERENCES sends (id),
    recipients  TEXT NOT NULL,
    began_at    TEXT NOT NULL,
    ended_at    TEXT,
    disposition TEXT,
    status      INTEGER,
    explanation TEXT,
    answer      TEXT,
    checksum    INTEGER NOT NULL
) STRICT;

CREATE INDEX attempts_by_send ON attempts (send);

-- The next moment, in seconds of the machine's monotonic clock, at which the rate limit admits a request of any process;
-- and, as JSON, earlier moments that were booked and given back.
CREATE TABLE rate_limits (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    next REAL NOT NULL,
    free TEXT NOT NULL DEFAULT '[]'
) STRICT;

INSERT INTO rate_limits (id, next) VALUES (1, 0);

-- Salts the fingerprints of contents, so that they mean nothing outside this ledger.
CREATE TABLE salt (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    value BLOB NOT NULL
) STRICT;

INSERT INTO salt VALUES (1, randomblob(32));

-- Attempts that failed, whole, as Metrix's support asks for them: request and log lines compressed by zlib. The oldest
-- are forgotten first.
CREATE TABLE evidence (
    number      INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    began_at    TEXT NOT NULL,
    seconds     REAL NOT NULL,
    reference   TEXT NOT NULL,
    path        TEXT NOT NULL,
    request     BLOB NOT NULL,
    code        TEXT NOT NULL,
    explanation TEXT NOT NULL,
    status      INTEGER,
    answer      TEXT,
    lines       BLOB NOT NULL,
    size        INTEGER NOT NULL
) STRICT;

-- One row a run of a campaign. `owner` names the process that plans or dispatches, `control` is what another
-- process asks of it. `checksum` covers everything but `control`.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    run         TEXT NOT NULL,
    state       TEXT NOT NULL,
    owner       TEXT,
    control     TEXT CHECK (control IN ('pause', 'cancel')),
    file        TEXT NOT NULL,
    pins        TEXT NOT NULL,
    facts       TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    halted_by   TEXT,
    checksum    INTEGER NOT NULL
) STRICT;

-- The counts of a run, in recipients; its outcomes always add up to its rows. Apart from it: written with every commit.
CREATE TABLE run_counts (
    run      INTEGER PRIMARY KEY REFERENCES runs (id),
    counts   TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- What is to be sent: a JSON list of [values, recipients], one a batch, compressed by zlib. It never changes.
CREATE TABLE shards (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    run      INTEGER NOT NULL REFERENCES runs (id),
    canary   INTEGER NOT NULL,
    batches  BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- What became of it: eight bytes a batch, see runs/batches.py. Apart from the shards, since this is written again and again.
CREATE TABLE shard_statuses (
    shard    INTEGER PRIMARY KEY REFERENCES shards (id),
    run      INTEGER NOT NULL,
    canary   INTEGER NOT NULL,
    open     INTEGER NOT NULL,
    changed  INTEGER NOT NULL,
    statuses BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE INDEX shard_statuses_by_run ON shard_statuses (run, shard);
CREATE INDEX open_shards ON shard_statuses (run, canary DESC, shard) WHERE open = 1;

-- Rows of the audience that are sent nothing: a JSON list of [row, recipient] for one reason.
CREATE TABLE skips (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    run      INTEGER NOT NULL REFERENCES runs (id),
    reason   TEXT NOT NULL,
    rows     TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE INDEX skips_by_run ON skips (run);

-- Attempts of campaigns that were not simply accepted.
CREATE TABLE failed_attempts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    run         INTEGER NOT NULL REFERENCES runs (id),
    shard       INTEGER NOT NULL,
    slot        INTEGER NOT NULL,
    at          TEXT NOT NULL,
    disposition TEXT NOT NULL,
    status      INTEGER,
    explanation TEXT NOT NULL,
    answer      TEXT
) STRICT;

CREATE INDEX failed_attempts_by_run ON failed_attempts (run);

-- What people and processes did with a run: who reads the books later wants to know why.
CREATE TABLE run_journal (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    run    INTEGER NOT NULL REFERENCES runs (id),
    at     TEXT NOT NULL,
    what   TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX run_journal_by_run ON run_journal (run);

-- The times of the users' events: Metrix drops a second event of one time. `user` is a salted digest. `owner` names the
-- process that sends it now; it is NULL when Metrix has the event, and empty when it may have.
CREATE TABLE event_times (
    user  BLOB NOT NULL,
    time  INTEGER NOT NULL,
    owner TEXT,
    PRIMARY KEY (user, time)
) STRICT, WITHOUT ROWID;
