-- Fields that a workspace adds to its contacts and companies.
CREATE TABLE custom_fields (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    archived_at timestamptz,
    resource text NOT NULL,
    key text NOT NULL,
    label text NOT NULL,
    description text,
    kind text NOT NULL,
    is_required boolean NOT NULL,
    is_unique boolean NOT NULL,
    is_sorted boolean NOT NULL,
    -- Bounds, options, and what a reference names; see CustomField in the domain.
    rules jsonb NOT NULL,
    position bigint NOT NULL,
    CONSTRAINT custom_fields_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT custom_fields_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT custom_fields_key_unique UNIQUE (workspace_id, resource, key),
    CONSTRAINT custom_fields_resource_check CHECK (resource IN ('contacts', 'companies')),
    CONSTRAINT custom_fields_kind_check
        CHECK (kind IN ('text', 'number', 'money', 'bool', 'date', 'instant', 'choice', 'multi_choice', 'url', 'reference'))
);

CREATE INDEX custom_fields_position_index ON custom_fields (workspace_id, position, id);

-- The values themselves, by the keys of their fields, each in the one form that the domain gives it.
ALTER TABLE contacts ADD COLUMN custom jsonb NOT NULL DEFAULT '{}';
ALTER TABLE companies ADD COLUMN custom jsonb NOT NULL DEFAULT '{}';

-- What living records have in fields that are unique or sorted, for the database to find and to keep apart. Without a
-- foreign key: it would lock the row of the field in every write of a record, and fields are never deleted.
CREATE TABLE custom_field_values (
    workspace_id uuid NOT NULL,
    record_id uuid NOT NULL,
    field_id uuid NOT NULL,
    unique_value text COLLATE "C",
    sort_key text COLLATE "C",
    CONSTRAINT custom_field_values_pkey PRIMARY KEY (workspace_id, record_id, field_id)
);

CREATE UNIQUE INDEX custom_field_values_unique ON custom_field_values (workspace_id, field_id, unique_value)
    WHERE unique_value IS NOT NULL;
CREATE INDEX custom_field_values_sort_index ON custom_field_values (workspace_id, field_id, sort_key, record_id)
    WHERE sort_key IS NOT NULL;

-- Whoever sees records sees what their fields are called.
UPDATE roles SET permissions = array_prepend('custom_fields:read', permissions)
 WHERE name IN ('manager', 'agent', 'read_only') AND NOT permissions @> '{custom_fields:read}';
