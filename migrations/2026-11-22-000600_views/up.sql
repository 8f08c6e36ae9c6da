-- Filters, orders and columns that somebody saved under a name.
CREATE TABLE views (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    owner_id uuid,
    resource text NOT NULL,
    name text NOT NULL,
    description text,
    filter jsonb,
    sort text,
    fields text[] NOT NULL,
    visibility text NOT NULL,
    CONSTRAINT views_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT views_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT views_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES users (workspace_id, id),
    CONSTRAINT views_visibility_check CHECK (visibility IN ('private', 'everyone') AND (owner_id IS NOT NULL OR visibility = 'everyone'))
);

CREATE INDEX views_name_index ON views (workspace_id, name, id);
CREATE INDEX views_owner_index ON views (workspace_id, owner_id);
