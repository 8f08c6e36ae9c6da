-- What somebody wrote down about a record.
CREATE TABLE notes (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    deleted_at timestamptz,
    owner_id uuid,
    team_id uuid,
    source text NOT NULL,
    tags text[] NOT NULL,
    external_ids jsonb NOT NULL,
    custom jsonb NOT NULL,
    -- The record that it is about, of whatever kind; so there is no foreign key.
    parent_kind text NOT NULL,
    parent_id uuid NOT NULL,
    body text NOT NULL,
    pinned boolean NOT NULL,
    internal boolean NOT NULL,
    mentions uuid[] NOT NULL,
    -- What is derived, for finding.
    search text NOT NULL,
    folded jsonb NOT NULL,
    CONSTRAINT notes_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT notes_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES users (workspace_id, id),
    CONSTRAINT notes_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id),
    CONSTRAINT notes_source_check
        CHECK (source IN ('api', 'import', 'form', 'email', 'sync', 'merge', 'automation', 'conversion'))
) WITH (fillfactor = 85);

-- One index for each order of a list, and its twin for the deleted, which costs the living nothing.
CREATE INDEX notes_created_index ON notes (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX notes_updated_index ON notes (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX notes_deleted_created_index ON notes (workspace_id, created_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX notes_deleted_updated_index ON notes (workspace_id, updated_at, id) WHERE deleted_at IS NOT NULL;

-- Who does not see all reads the lists of each owner and team side by side.
CREATE INDEX notes_owner_created_index ON notes (workspace_id, owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX notes_owner_updated_index ON notes (workspace_id, owner_id, updated_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX notes_team_created_index ON notes (workspace_id, team_id, created_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX notes_team_updated_index ON notes (workspace_id, team_id, updated_at, id) WHERE team_id IS NOT NULL;

-- Few are pinned: what is not is read from the indexes above, past those that are.
CREATE INDEX notes_pinned_index ON notes (workspace_id, created_at, id) WHERE pinned;
CREATE INDEX notes_owner_pinned_index ON notes (workspace_id, owner_id, created_at, id)
    WHERE pinned AND owner_id IS NOT NULL;
CREATE INDEX notes_team_pinned_index ON notes (workspace_id, team_id, created_at, id) WHERE pinned AND team_id IS NOT NULL;

CREATE INDEX notes_parent_index ON notes (workspace_id, parent_id, created_at, id);
CREATE INDEX notes_mentions_index ON notes USING gin (workspace_id, mentions) WITH (fastupdate = off)
    WHERE mentions <> '{}';
CREATE INDEX notes_tags_index ON notes USING gin (workspace_id, tags)
    WITH (fastupdate = on, gin_pending_list_limit = 256) WHERE tags <> '{}';
CREATE INDEX notes_search_index ON notes USING gin (workspace_id, search gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 2048);

-- Workspaces add fields to notes, too.
ALTER TABLE custom_fields
    DROP CONSTRAINT custom_fields_resource_check,
    ADD CONSTRAINT custom_fields_resource_check
        CHECK (resource IN ('contacts', 'companies', 'opportunities', 'products', 'leads', 'tasks', 'notes'));
