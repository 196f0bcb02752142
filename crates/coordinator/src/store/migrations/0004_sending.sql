-- Columns and types here are those that SQLite and PostgreSQL both know.

-- Whom a transfer is for, where the sender named a person and no machine; what the sender's machine sends of a share by
-- itself, as the API tells it; and what each side calls it.
ALTER TABLE transfers ADD COLUMN person TEXT;
ALTER TABLE transfers ADD COLUMN source TEXT;
ALTER TABLE transfers ADD COLUMN sender_label TEXT;
ALTER TABLE transfers ADD COLUMN receiver_label TEXT;

-- What waits behind a link for any browser: only a hash of the link's secret is here. `paths` as the API tells them.
CREATE TABLE drops (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE,
    maker TEXT NOT NULL REFERENCES principals (id),
    share TEXT NOT NULL,
    paths TEXT NOT NULL,
    message TEXT,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    downloads BIGINT,
    taken BIGINT NOT NULL DEFAULT 0
);
