-- The outside systems whose ids records have.
CREATE TABLE connections (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    -- Stands in addresses and beside each external id, and never changes.
    key text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    direction text NOT NULL,
    status text NOT NULL,
    settings jsonb NOT NULL,
    CONSTRAINT connections_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT connections_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT connections_key_unique UNIQUE (workspace_id, key),
    CONSTRAINT connections_key_check CHECK (key ~ '^[a-z][a-z0-9_-]{0,62}$' AND key <> 'import'),
    CONSTRAINT connections_kind_check
        CHECK (kind IN ('accounting', 'shop', 'email', 'telephony', 'calendar', 'marketing', 'custom')),
    CONSTRAINT connections_direction_check CHECK (direction IN ('read', 'write', 'both')),
    CONSTRAINT connections_status_check CHECK (status IN ('active', 'paused'))
);

-- The version that the outside system gave what it sent last: what is older comes late and changes nothing.
ALTER TABLE external_ids ADD COLUMN source_version bigint;
