-- The identity of the file: inode and generation. A copy has others; nothing is sent from it until it is adopted.
CREATE TABLE file (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    identity TEXT NOT NULL
) STRICT;

-- One row per call of `send`. `state` is `open` until all recipients have an outcome. `owner` is the process that works
-- on it, or NULL. `checksum` covers the columns that must not be damaged. `outgoing` is a whole message of the outbox,
-- deleted when it has its outcome. `due_at` is the time from which the message may be sent; NULL for at once.
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

-- Runs in the transaction of the outcome, so that no crash leaves the text behind.
CREATE TRIGGER forget_outgoing AFTER UPDATE ON sends WHEN NEW.state = 'settled' AND NEW.outgoing IS NOT NULL
BEGIN UPDATE sends SET outgoing = NULL WHERE id = NEW.id; END;

-- One row per HTTP request, written before its first byte leaves. `disposition` is NULL until its result is known.
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

-- When the rate limit admits the next request of any process, in seconds of the machine's monotonic clock; and, as JSON,
-- earlier places that were booked and released.
CREATE TABLE rate_limits (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    next REAL NOT NULL,
    free TEXT NOT NULL DEFAULT '[]'
) STRICT;

INSERT INTO rate_limits (id, next) VALUES (1, 0);

-- Salts the fingerprints of contents, so that they are meaningless outside this ledger.
CREATE TABLE salt (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    value BLOB NOT NULL
) STRICT;

INSERT INTO salt VALUES (1, randomblob(32));

-- Complete failed attempts for Metrix's support; request and log lines are compressed with zlib. The oldest are deleted
-- first.
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

-- One row per run of a campaign. `owner` is the process that plans or dispatches it; `control` is the control request
-- of another process. `checksum` covers everything except `control`.
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

-- The counts of a run, in recipients; outcomes always add up to the rows. A separate table, written with every commit.
CREATE TABLE run_counts (
    run      INTEGER PRIMARY KEY REFERENCES runs (id),
    counts   TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- The plan of a shard: a JSON list of [values, recipients], one per batch, compressed with zlib. It never changes.
CREATE TABLE shards (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    run      INTEGER NOT NULL REFERENCES runs (id),
    canary   INTEGER NOT NULL,
    batches  BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- The statuses of a shard: eight bytes per batch, see runs/batches.py. A separate table, because it is written often.
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

-- Skipped rows of the audience: a JSON list of [row, recipient] for one reason.
CREATE TABLE skips (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    run      INTEGER NOT NULL REFERENCES runs (id),
    reason   TEXT NOT NULL,
    rows     TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE INDEX skips_by_run ON skips (run);

-- Attempts of campaigns that were not accepted.
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

-- The run journal: what people and processes did with a run.
CREATE TABLE run_journal (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    run    INTEGER NOT NULL REFERENCES runs (id),
    at     TEXT NOT NULL,
    what   TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX run_journal_by_run ON run_journal (run);

-- The times of users' events: Metrix drops a second event with the same time. `user` is a salted digest. `owner` is the
-- process that sends the event now; NULL if Metrix accepted it, empty if Metrix may have accepted it.
CREATE TABLE event_times (
    user  BLOB NOT NULL,
    time  INTEGER NOT NULL,
    owner TEXT,
    PRIMARY KEY (user, time)
) STRICT, WITHOUT ROWID;
