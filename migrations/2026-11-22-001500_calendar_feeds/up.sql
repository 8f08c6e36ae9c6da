-- Secret addresses at which programs read the tasks of a user. Of the secret only its SHA-256 is kept; a feed that is
-- revoked is deleted, and that it was there stays in the audit.
CREATE TABLE calendar_feeds (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    user_id uuid NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT calendar_feeds_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT calendar_feeds_user_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES users (workspace_id, id),
    CONSTRAINT calendar_feeds_hash_check CHECK (length(hash) = 32)
);

CREATE INDEX calendar_feeds_user_index ON calendar_feeds (workspace_id, user_id, created_at, id);
