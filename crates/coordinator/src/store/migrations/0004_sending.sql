-- Columns and types here are those that SQLite and PostgreSQL both know.

-- Whom a transfer is for, where the sender named a person and no machine; what the sender's machine sends of a share by
-- itself, as the API tells it; and what each side calls it.
ALTER TABLE transfers ADD COLUMN person TEXT;
ALTER TABLE transfers ADD COLUMN source TEXT;
ALTER TABLE transfers ADD COLUMN sender_label TEXT;
ALTER TABLE transfers ADD COLUMN receiver_label TEXT;
