CREATE TABLE contacts (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    deleted_at timestamptz,
    owner_id uuid,
    source text NOT NULL,
    source_channel text,
    tags text[] NOT NULL,
    external_ids jsonb NOT NULL,
    first_name text,
    last_name text,
    job_title text,
    company_id uuid,
    birthday date,
    locale text,
    do_not_call boolean NOT NULL,
    lifecycle_stage text NOT NULL,
    -- What is only shown: further names, mail and postal addresses, numbers, profiles, preferences.
    details jsonb NOT NULL,
    -- What is derived, for finding and sorting.
    match_keys text[] NOT NULL,
    search text NOT NULL,
    sort_name text COLLATE "C" NOT NULL,
    country text,
    latitude double precision,
    longitude double precision,
    CONSTRAINT contacts_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT contacts_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES users (workspace_id, id),
    CONSTRAINT contacts_company_fkey FOREIGN KEY (workspace_id, company_id) REFERENCES companies (workspace_id, id),
    CONSTRAINT contacts_source_check
        CHECK (source IN ('api', 'import', 'form', 'email', 'sync', 'merge', 'automation', 'conversion')),
    CONSTRAINT contacts_source_channel_check
        CHECK (source_channel IN ('email', 'phone', 'web', 'chat', 'sms', 'whatsapp', 'telegram', 'facebook', 'instagram',
                                  'x', 'line', 'social_other', 'postal', 'in_person', 'api')),
    CONSTRAINT contacts_lifecycle_stage_check
        CHECK (lifecycle_stage IN ('subscriber', 'lead', 'prospect', 'customer', 'former_customer', 'other'))
) WITH (fillfactor = 85);

-- One index for each order of a list, and its twin for the deleted, which costs the living nothing.
CREATE INDEX contacts_created_index ON contacts (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_updated_index ON contacts (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_name_index ON contacts (workspace_id, sort_name, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_deleted_created_index ON contacts (workspace_id, created_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX contacts_deleted_updated_index ON contacts (workspace_id, updated_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX contacts_deleted_name_index ON contacts (workspace_id, sort_name, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX contacts_owner_index ON contacts (workspace_id, owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX contacts_lifecycle_index ON contacts (workspace_id, lifecycle_stage, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_country_index ON contacts (workspace_id, country) WHERE country IS NOT NULL;
CREATE INDEX contacts_tags_index ON contacts USING gin (workspace_id, tags) WITH (fastupdate = off) WHERE tags <> '{}';
CREATE INDEX contacts_match_index ON contacts USING gin (workspace_id, match_keys) WITH (fastupdate = off) WHERE match_keys <> '{}';
-- A trigram index entry by entry costs 300 µs a row, through a pending list 35 µs. Every search reads the whole list, so
-- it is kept at 2 MB, which costs a search up to 10 ms; the worker empties it when there is time.
CREATE INDEX contacts_search_index ON contacts USING gin (workspace_id, search gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 2048);
CREATE INDEX contacts_company_index ON contacts (workspace_id, company_id) WHERE company_id IS NOT NULL;
