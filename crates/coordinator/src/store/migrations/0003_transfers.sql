-- Columns and types here are those that SQLite and PostgreSQL both know.

-- Where a machine takes in what is sent to it: this one's, and those that others offer.
ALTER TABLE shares ADD COLUMN inbox INTEGER NOT NULL DEFAULT 0;
ALTER TABLE remote_shares ADD COLUMN inbox INTEGER NOT NULL DEFAULT 0;

-- What is, or was, sent to somebody's machine. `share` is where to, and nothing for its inbox. `state` is the word of the
-- API, `state_data` what goes with it. `device_knows` is set while the machine may hold something of it.
CREATE TABLE transfers (
    id TEXT PRIMARY KEY,
    sender TEXT NOT NULL REFERENCES principals (id),
    sender_device TEXT,
    device TEXT NOT NULL,
    share TEXT,
    destination TEXT NOT NULL,
    message TEXT,
    state TEXT NOT NULL,
    state_data TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    device_knows INTEGER NOT NULL DEFAULT 0,
    sender_cleared INTEGER NOT NULL DEFAULT 0,
    receiver_cleared INTEGER NOT NULL DEFAULT 0
);

-- What each is made of, in the order in which it was offered: as the API tells it.
CREATE TABLE transfer_items (
    transfer TEXT NOT NULL REFERENCES transfers (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (transfer, place)
);

-- Whose transfers to a machine begin without a question, and how far that goes.
CREATE TABLE trusted_senders (
    device TEXT NOT NULL,
    sender TEXT NOT NULL REFERENCES principals (id),
    max_bytes BIGINT,
    share TEXT,
    destination TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (device, sender)
);
