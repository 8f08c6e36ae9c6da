-- How far leads have come: a list that each workspace makes its own, each status with a class that says what it means.
CREATE TABLE lead_statuses (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    -- Its name for programs, which never changes: leads say it.
    key text NOT NULL,
    name text NOT NULL,
    position bigint NOT NULL,
    class text NOT NULL,
    -- Can't be chosen any more, and stays with the leads that have it.
    archived boolean NOT NULL,
    CONSTRAINT lead_statuses_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT lead_statuses_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT lead_statuses_key_unique UNIQUE (workspace_id, key),
    -- What leads refer to, so that their class is that of their status.
    CONSTRAINT lead_statuses_class_unique UNIQUE (workspace_id, key, class),
    CONSTRAINT lead_statuses_name_unique UNIQUE (workspace_id, name),
    CONSTRAINT lead_statuses_key_check CHECK (key ~ '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT lead_statuses_class_check CHECK (class IN ('open', 'ongoing', 'on_hold', 'won', 'lost'))
);

CREATE INDEX lead_statuses_position_index ON lead_statuses (workspace_id, position, id);

-- Those with which every workspace begins; `LeadStatus::seeds` of the domain says the same for new ones.
INSERT INTO lead_statuses (workspace_id, id, version, created_at, updated_at, key, name, position, class, archived)
SELECT workspaces.id, gen_random_uuid(), 1, workspaces.created_at, workspaces.created_at,
       seed.key, seed.name, seed.position, seed.class, false
  FROM workspaces
 CROSS JOIN (VALUES
    ('new', 'New', 1, 'open'),
    ('contacted', 'Contacted', 2, 'ongoing'),
    ('nurturing', 'Nurturing', 3, 'on_hold'),
    ('qualified', 'Qualified', 4, 'ongoing'),
    ('unqualified', 'Unqualified', 5, 'lost'),
    ('junk', 'Junk', 6, 'lost'),
    ('converted', 'Converted', 7, 'won')
 ) AS seed (key, name, position, class);
