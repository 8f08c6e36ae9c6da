-- Every change of every record, written in the statement or transaction that made it. Workspaces are never deleted and
-- a workspace id comes from authentication alone, so there is no foreign key to them here or on records: it would lock
-- the same row for every write.
CREATE TABLE journal (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    -- Place in the feed of the workspace, given by the sequencer once the entry is committed.
    position bigint,
    event text NOT NULL,
    record_kind text NOT NULL,
    record_id uuid NOT NULL,
    version bigint NOT NULL,
    changes jsonb NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    origin uuid,
    request_id text,
    at timestamptz NOT NULL,
    CONSTRAINT journal_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT journal_actor_check CHECK (actor_kind IN ('user', 'api_key', 'system'))
);

-- The history of a record.
CREATE INDEX journal_record_index ON journal (workspace_id, record_kind, record_id, version, id);
-- The feed of a workspace.
CREATE UNIQUE INDEX journal_position_unique ON journal (workspace_id, position) WHERE position IS NOT NULL;
-- What the sequencer has yet to number, over all workspaces.
CREATE INDEX journal_unnumbered_index ON journal (id) WHERE position IS NULL;

-- The last position given in each workspace.
CREATE TABLE feed_heads (
    workspace_id uuid NOT NULL,
    position bigint NOT NULL,
    CONSTRAINT feed_heads_pkey PRIMARY KEY (workspace_id)
);
