-- Why something was not sold: a list that each workspace makes its own.
CREATE TABLE lost_reasons (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    -- Its name for programs, which never changes.
    key text NOT NULL,
    name text NOT NULL,
    description text,
    position bigint NOT NULL,
    -- Can't be chosen any more, and stays with the records that have it.
    archived boolean NOT NULL,
    CONSTRAINT lost_reasons_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT lost_reasons_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT lost_reasons_key_unique UNIQUE (workspace_id, key),
    CONSTRAINT lost_reasons_key_check CHECK (key ~ '^[a-z][a-z0-9_]{0,62}$')
);

CREATE INDEX lost_reasons_position_index ON lost_reasons (workspace_id, position, id);

-- Those with which every workspace begins; `LostReason::seeds` of the domain says the same for new ones.
INSERT INTO lost_reasons (workspace_id, id, version, created_at, updated_at, key, name, position, archived)
SELECT workspaces.id, gen_random_uuid(), 1, workspaces.created_at, workspaces.created_at,
       seed.key, seed.name, seed.position, false
  FROM workspaces
 CROSS JOIN (VALUES
    ('price', 'Price', 1),
    ('competition', 'Competition', 2),
    ('budget', 'No budget', 3),
    ('missing_feature', 'Missing feature', 4),
    ('long_sales_cycle', 'Took too long', 5),
    ('no_decision_maker', 'No decision maker', 6),
    ('unresponsive', 'No answer', 7),
    ('poor_fit', 'Poor fit', 8),
    ('other', 'Other', 9)
 ) AS seed (key, name, position);

-- Whoever runs sales makes its lists.
UPDATE roles
   SET permissions = (SELECT array_agg(permission ORDER BY permission)
                        FROM unnest(permissions || '{sales_settings:write}') AS permission)
 WHERE name = 'manager' AND NOT permissions @> '{sales_settings:write}';
