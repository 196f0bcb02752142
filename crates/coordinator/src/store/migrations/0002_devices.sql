-- Columns and types here are those that SQLite and PostgreSQL both know.

-- People, and services that act as one. The owner's row goes with the one in `owner`.
CREATE TABLE principals (
    id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    revoked_ms BIGINT
);
INSERT INTO principals (id, display_name, created_ms)
    SELECT principal, display_name, created_ms FROM owner;

-- Machines that have been paired, this one among them.
CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    principal TEXT NOT NULL REFERENCES principals (id),
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    visible INTEGER NOT NULL DEFAULT 1,
    paired_ms BIGINT NOT NULL,
    seen_ms BIGINT,
    addresses TEXT NOT NULL DEFAULT '{"direct":[]}',
    revoked_ms BIGINT
);

-- What other machines offer. `withdrawn_ms` is set while they do not: their grants wait for them.
CREATE TABLE remote_shares (
    id TEXT PRIMARY KEY,
    device TEXT NOT NULL REFERENCES devices (id),
    name TEXT NOT NULL,
    read_only INTEGER NOT NULL DEFAULT 0,
    created_ms BIGINT NOT NULL,
    withdrawn_ms BIGINT
);

-- Machines that wait to be let in. The code is kept as a keyed hash.
CREATE TABLE pairings (
    id TEXT PRIMARY KEY,
    code_hash BLOB NOT NULL,
    challenge TEXT NOT NULL,
    words TEXT NOT NULL,
    device TEXT NOT NULL,
    device_name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    platform TEXT NOT NULL,
    invite TEXT,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    principal TEXT REFERENCES principals (id),
    ended_ms BIGINT
);

CREATE TABLE rooms (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE TABLE room_members (
    room TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    principal TEXT NOT NULL REFERENCES principals (id),
    PRIMARY KEY (room, principal)
);

-- What somebody may do with a share: `subject_kind` is principal, room or everyone (then `subject` is empty).
CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    share TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    permissions TEXT NOT NULL,
    expires_ms BIGINT,
    granted_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE (share, subject_kind, subject)
);

-- Invitations, by the hash of their secret.
CREATE TABLE invites (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    principal TEXT REFERENCES principals (id),
    grants TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT
);

-- What happened, each entry sealed with the hash of the one before.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    time_ms BIGINT NOT NULL,
    actor TEXT,
    action TEXT NOT NULL,
    allowed INTEGER NOT NULL,
    device TEXT,
    share TEXT,
    address TEXT,
    request_id TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash BLOB NOT NULL
);
CREATE INDEX audit_by_action ON audit (action, seq);

-- Where the audit log ends, with a keyed hash that says that this program left it so.
CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL,
    hash BLOB NOT NULL,
    mac BLOB NOT NULL
);
