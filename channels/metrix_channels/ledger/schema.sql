-- One row a call of `send`. `state` is `open` while recipients are without an outcome; `owner` names the process
-- that works on it and is NULL when none does. `checksum` covers what a wrong bit must not change.
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
    checksum    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX sends_by_key ON sends (app_id, key) WHERE key IS NOT NULL;

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

-- The next moment, in seconds of the machine's monotonic clock, at which the rate limit admits a request of any process.
CREATE TABLE pace (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    next REAL NOT NULL
) STRICT;

INSERT INTO pace VALUES (1, 0);

-- Salts the fingerprints of contents, so that they mean nothing outside this ledger.
CREATE TABLE salt (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    value BLOB NOT NULL
) STRICT;

INSERT INTO salt VALUES (1, randomblob(32));
