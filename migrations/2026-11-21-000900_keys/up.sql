-- API keys as records: who made them, with whose rights they act, and from where they may be used.
ALTER TABLE api_keys
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz,
    ADD COLUMN created_by uuid,
    ADD COLUMN updated_by uuid,
    ADD COLUMN user_id uuid,
    ADD COLUMN allowed_addresses text[] NOT NULL DEFAULT '{}',
    ADD COLUMN last_used_address text,
    -- From where the key has been used, the newest first; few, so that one row can hold them.
    ADD COLUMN known_addresses text[] NOT NULL DEFAULT '{}';
UPDATE api_keys SET updated_at = created_at;
ALTER TABLE api_keys
    ALTER COLUMN version DROP DEFAULT,
    ALTER COLUMN updated_at SET NOT NULL,
    ALTER COLUMN allowed_addresses DROP DEFAULT,
    ALTER COLUMN known_addresses DROP DEFAULT,
    ADD CONSTRAINT api_keys_workspace_unique UNIQUE (workspace_id, id),
    ADD CONSTRAINT api_keys_user_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES users (workspace_id, id);

CREATE INDEX api_keys_created_index ON api_keys (workspace_id, created_at, id);
CREATE INDEX api_keys_user_index ON api_keys (workspace_id, user_id) WHERE user_id IS NOT NULL;

-- The secrets of a key, of which two may be valid while one takes the place of the other.
CREATE TABLE api_key_secrets (
    workspace_id uuid NOT NULL,
    api_key_id uuid NOT NULL,
    secret_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT api_key_secrets_pkey PRIMARY KEY (workspace_id, api_key_id, secret_hash),
    CONSTRAINT api_key_secrets_key_fkey FOREIGN KEY (workspace_id, api_key_id) REFERENCES api_keys (workspace_id, id),
    CONSTRAINT api_key_secrets_hash_check CHECK (length(secret_hash) = 32)
);
INSERT INTO api_key_secrets (workspace_id, api_key_id, secret_hash, created_at)
SELECT workspace_id, id, secret_hash, created_at FROM api_keys;
ALTER TABLE api_keys DROP COLUMN secret_hash;

-- What invitations and new passwords are chosen with: each works once. The token begins with the workspace's id, so that
-- it is found here without a directory; its hash alone is kept.
CREATE TABLE user_tokens (
    workspace_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    purpose text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT user_tokens_pkey PRIMARY KEY (workspace_id, token_hash),
    CONSTRAINT user_tokens_user_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES users (workspace_id, id),
    CONSTRAINT user_tokens_hash_check CHECK (length(token_hash) = 32),
    CONSTRAINT user_tokens_purpose_check CHECK (purpose IN ('invite', 'reset'))
);

CREATE INDEX user_tokens_user_index ON user_tokens (workspace_id, user_id);
