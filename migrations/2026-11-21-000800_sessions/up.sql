-- Who is signed in: one row for each sign-in that has not ended. A session that ends is deleted, for its row says where
-- somebody was and with what; that it was there stays in the audit.
CREATE TABLE sessions (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    address text,
    user_agent text,
    CONSTRAINT sessions_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT sessions_user_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES users (workspace_id, id)
) WITH (fillfactor = 85);

-- The sessions of a user, the newest first.
CREATE INDEX sessions_user_index ON sessions (workspace_id, user_id, created_at, id);

-- The refresh tokens of a session as SHA-256: those that can be used, and those that were, so that one which is used
-- again is known.
CREATE TABLE refresh_tokens (
    workspace_id uuid NOT NULL,
    session_id uuid NOT NULL,
    hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (workspace_id, session_id, hash),
    CONSTRAINT refresh_tokens_session_fkey FOREIGN KEY (workspace_id, session_id)
        REFERENCES sessions (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_hash_check CHECK (length(hash) = 32)
);

-- The keys with which the servers of this installation sign access tokens. The private halves are sealed with a key of
-- the table secrets.
CREATE TABLE signing_keys (
    id uuid NOT NULL,
    public_key bytea NOT NULL,
    private_key bytea NOT NULL,
    created_at timestamptz NOT NULL,
    signs_from timestamptz NOT NULL,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (id)
);

-- Tokens were signed with it before there were signing keys.
DELETE FROM secrets WHERE name = 'token_key';
