-- Writes that are done once for each key that a caller gave them. A row is committed together with what it stands for.
CREATE TABLE idempotency_keys (
    workspace_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    key text NOT NULL,
    -- SHA-256 over method, address and body: what came with the key the first time.
    fingerprint bytea NOT NULL,
    -- Sealed, for it may hold what is shown only once. Null while the write is under way, which nobody else sees.
    answer bytea,
    created_at timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (workspace_id, actor_id, key),
    CONSTRAINT idempotency_keys_fingerprint_check CHECK (length(fingerprint) = 32)
) WITH (fillfactor = 85);

-- What is old enough to be forgotten.
CREATE INDEX idempotency_keys_created_index ON idempotency_keys (created_at);
