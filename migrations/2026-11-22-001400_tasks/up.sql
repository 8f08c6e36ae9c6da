-- What somebody is to do, until when, and about whom.
CREATE TABLE tasks (
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
    custom jsonb NOT NULL DEFAULT '{}',
    name text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    status_class text NOT NULL,
    priority text NOT NULL,
    -- The record that it is about, of whatever kind; so there is no foreign key.
    parent_kind text,
    parent_id uuid,
    assignee_id uuid,
    collaborator_ids uuid[] NOT NULL,
    start_at timestamptz,
    due_at timestamptz,
    completed_at timestamptz,
    series_id uuid,
    -- What is only shown: description, reminders, how it comes back.
    details jsonb NOT NULL,
    -- What is derived, for finding and sorting.
    search text NOT NULL,
    sort_name text COLLATE "C" NOT NULL,
    folded jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT tasks_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT tasks_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES users (workspace_id, id),
    CONSTRAINT tasks_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id),
    CONSTRAINT tasks_assignee_fkey FOREIGN KEY (workspace_id, assignee_id) REFERENCES users (workspace_id, id),
    CONSTRAINT tasks_source_check
        CHECK (source IN ('api', 'import', 'form', 'email', 'sync', 'merge', 'automation', 'conversion')),
    CONSTRAINT tasks_kind_check
        CHECK (kind IN ('todo', 'call', 'email', 'meeting', 'follow_up', 'demo', 'visit', 'thank_you')),
    CONSTRAINT tasks_status_check CHECK (status IN ('not_started', 'in_progress', 'deferred', 'completed', 'cancelled')),
    CONSTRAINT tasks_status_class_check CHECK (status_class IN ('open', 'on_hold', 'done', 'cancelled')),
    CONSTRAINT tasks_priority_check CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    CONSTRAINT tasks_parent_check CHECK ((parent_kind IS NULL) = (parent_id IS NULL)),
    CONSTRAINT tasks_start_check CHECK (start_at <= due_at)
) WITH (fillfactor = 85);

-- One index for each order of a list, and its twin for the deleted, which costs the living nothing. What is not due comes
-- last, by id: the same index finds it, as those whose due_at is null.
CREATE INDEX tasks_created_index ON tasks (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_updated_index ON tasks (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_name_index ON tasks (workspace_id, sort_name, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_due_index ON tasks (workspace_id, due_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_deleted_created_index ON tasks (workspace_id, created_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX tasks_deleted_updated_index ON tasks (workspace_id, updated_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX tasks_deleted_name_index ON tasks (workspace_id, sort_name, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX tasks_deleted_due_index ON tasks (workspace_id, due_at, id) WHERE deleted_at IS NOT NULL;

-- Who does not see all reads the lists of each owner and team side by side, and what is assigned to them.
CREATE INDEX tasks_owner_created_index ON tasks (workspace_id, owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX tasks_owner_updated_index ON tasks (workspace_id, owner_id, updated_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX tasks_owner_name_index ON tasks (workspace_id, owner_id, sort_name, id) WHERE owner_id IS NOT NULL;
CREATE INDEX tasks_owner_due_index ON tasks (workspace_id, owner_id, due_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX tasks_team_created_index ON tasks (workspace_id, team_id, created_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX tasks_team_updated_index ON tasks (workspace_id, team_id, updated_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX tasks_team_name_index ON tasks (workspace_id, team_id, sort_name, id) WHERE team_id IS NOT NULL;
CREATE INDEX tasks_team_due_index ON tasks (workspace_id, team_id, due_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX tasks_assignee_created_index ON tasks (workspace_id, assignee_id, created_at, id)
    WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_assignee_updated_index ON tasks (workspace_id, assignee_id, updated_at, id)
    WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_assignee_name_index ON tasks (workspace_id, assignee_id, sort_name, id)
    WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_assignee_due_index ON tasks (workspace_id, assignee_id, due_at, id) WHERE assignee_id IS NOT NULL;

-- What is left to be done is little beside what was done in years: the list that people look at every day.
CREATE INDEX tasks_unfinished_index ON tasks (workspace_id, assignee_id, due_at, id)
    WHERE assignee_id IS NOT NULL AND deleted_at IS NULL AND status_class IN ('open', 'on_hold');

CREATE INDEX tasks_status_index ON tasks (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_status_class_index ON tasks (workspace_id, status_class, due_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_priority_index ON tasks (workspace_id, priority, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_kind_index ON tasks (workspace_id, kind, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_parent_index ON tasks (workspace_id, parent_id, created_at, id) WHERE parent_id IS NOT NULL;
CREATE INDEX tasks_series_index ON tasks (workspace_id, series_id) WHERE series_id IS NOT NULL;
CREATE INDEX tasks_collaborators_index ON tasks USING gin (workspace_id, collaborator_ids) WITH (fastupdate = off)
    WHERE collaborator_ids <> '{}';
CREATE INDEX tasks_tags_index ON tasks USING gin (workspace_id, tags)
    WITH (fastupdate = on, gin_pending_list_limit = 256) WHERE tags <> '{}';
CREATE INDEX tasks_search_index ON tasks USING gin (workspace_id, search gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 2048);
CREATE INDEX tasks_unfolded_index ON tasks (workspace_id, id) WHERE folded = '{}';

-- Workspaces add fields to tasks, too.
ALTER TABLE custom_fields
    DROP CONSTRAINT custom_fields_resource_check,
    ADD CONSTRAINT custom_fields_resource_check
        CHECK (resource IN ('contacts', 'companies', 'opportunities', 'products', 'leads', 'tasks'));
