-- The addresses of outside systems to which the change feed is sent.
CREATE TABLE webhooks (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    name text NOT NULL,
    url text NOT NULL,
    kinds text[] NOT NULL,
    events text[] NOT NULL,
    exclude_origins uuid[] NOT NULL,
    enabled boolean NOT NULL,
    CONSTRAINT webhooks_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT webhooks_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id)
);

CREATE INDEX webhooks_created_at_index ON webhooks (workspace_id, created_at, id);

-- How far each webhook has come. The worker writes here, which is no change of the webhook.
CREATE TABLE webhook_states (
    workspace_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    -- With what messages are signed, sealed; and what they are signed with, too, for a while after there is a new one.
    secret bytea NOT NULL,
    old_secret bytea,
    old_secret_until timestamptz,
    -- Up to where the feed has been sent.
    position bigint NOT NULL,
    -- The message that is being sent, and where it ends: it stays the same until it has arrived.
    message_id uuid,
    message_until bigint,
    -- Whether changes before the message have left the feed and were never sent.
    resync_required boolean NOT NULL,
    -- The message of a test that somebody asked for.
    test_id uuid,
    failures bigint NOT NULL,
    failing_since timestamptz,
    last_success_at timestamptz,
    due_at timestamptz NOT NULL,
    -- Who sends at this moment, and until when others leave it to them.
    lease uuid,
    leased_until timestamptz,
    CONSTRAINT webhook_states_pkey PRIMARY KEY (workspace_id, webhook_id),
    CONSTRAINT webhook_states_webhook_fkey
        FOREIGN KEY (workspace_id, webhook_id) REFERENCES webhooks (workspace_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);

-- What was sent when, and what came of it. Kept for thirty days.
CREATE TABLE webhook_deliveries (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    message_id uuid NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    duration_ms bigint NOT NULL,
    changes bigint NOT NULL,
    position bigint,
    succeeded boolean NOT NULL,
    status integer,
    error text,
    response text,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT webhook_deliveries_webhook_fkey
        FOREIGN KEY (workspace_id, webhook_id) REFERENCES webhooks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_kind_check CHECK (kind IN ('changes', 'test'))
);

CREATE INDEX webhook_deliveries_at_index ON webhook_deliveries (workspace_id, webhook_id, at, id);

-- For what is forgotten.
CREATE INDEX webhook_deliveries_age_index ON webhook_deliveries (at);
