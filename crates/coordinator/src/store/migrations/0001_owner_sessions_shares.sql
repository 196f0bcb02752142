-- The owner of this machine: at most one.
CREATE TABLE owner (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    principal TEXT NOT NULL,
    display_name TEXT NOT NULL,
    pin_hash TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

-- Folders on offer.
CREATE TABLE shares (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    folder TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

-- Browsers that have signed in before, by the hash of the token they hold.
CREATE TABLE browsers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash BLOB NOT NULL UNIQUE,
    privacy TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
) STRICT;

-- Signed-in browsers, by the hash of their cookie.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,
    principal TEXT NOT NULL,
    browser_id INTEGER REFERENCES browsers (id) ON DELETE SET NULL,
    browser TEXT NOT NULL,
    address TEXT NOT NULL,
    privacy TEXT NOT NULL,
    encrypted INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL
) STRICT;

-- Tries of a PIN that did not prove right. Written before the PIN is looked at.
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    lived_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_by_source ON attempts (source, lived_ms);

-- The time this installation has lived through, which no step of the clock can change.
CREATE TABLE lived (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    lived_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL
) STRICT;
