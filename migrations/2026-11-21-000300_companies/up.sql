CREATE TABLE companies (
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
    name text NOT NULL,
    domain text,
    kind text,
    industry text,
    employee_range text,
    annual_revenue_amount numeric(19, 4),
    annual_revenue_currency text,
    parent_id uuid,
    lifecycle_stage text NOT NULL,
    -- What is only shown: further names, mail and postal addresses, numbers, profiles, codes.
    details jsonb NOT NULL,
    -- What is derived, for finding and sorting.
    match_keys text[] NOT NULL,
    search text NOT NULL,
    sort_name text COLLATE "C" NOT NULL,
    country text,
    latitude double precision,
    longitude double precision,
    CONSTRAINT companies_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT companies_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES users (workspace_id, id),
    CONSTRAINT companies_parent_fkey FOREIGN KEY (workspace_id, parent_id) REFERENCES companies (workspace_id, id),
    CONSTRAINT companies_parent_check CHECK (parent_id <> id),
    CONSTRAINT companies_source_check
        CHECK (source IN ('api', 'import', 'form', 'email', 'sync', 'merge', 'automation', 'conversion')),
    CONSTRAINT companies_source_channel_check
        CHECK (source_channel IN ('email', 'phone', 'web', 'chat', 'sms', 'whatsapp', 'telegram', 'facebook', 'instagram',
                                  'x', 'line', 'social_other', 'postal', 'in_person', 'api')),
    CONSTRAINT companies_kind_check
        CHECK (kind IN ('prospect', 'customer', 'partner', 'reseller', 'supplier', 'investor', 'competitor', 'press',
                        'other')),
    CONSTRAINT companies_employee_range_check
        CHECK (employee_range IN ('1_10', '11_50', '51_200', '201_500', '501_1000', '1001_plus')),
    CONSTRAINT companies_annual_revenue_check
        CHECK ((annual_revenue_amount IS NULL) = (annual_revenue_currency IS NULL) AND annual_revenue_amount <> 'NaN'),
    CONSTRAINT companies_lifecycle_stage_check
        CHECK (lifecycle_stage IN ('subscriber', 'lead', 'prospect', 'customer', 'former_customer', 'other'))
) WITH (fillfactor = 85);

-- One index for each order of a list, and its twin for the deleted, which costs the living nothing.
CREATE INDEX companies_created_index ON companies (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX companies_updated_index ON companies (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX companies_name_index ON companies (workspace_id, sort_name, id) WHERE deleted_at IS NULL;
CREATE INDEX companies_deleted_created_index ON companies (workspace_id, created_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX companies_deleted_updated_index ON companies (workspace_id, updated_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX companies_deleted_name_index ON companies (workspace_id, sort_name, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX companies_owner_index ON companies (workspace_id, owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX companies_lifecycle_index ON companies (workspace_id, lifecycle_stage, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX companies_country_index ON companies (workspace_id, country) WHERE country IS NOT NULL;
CREATE INDEX companies_tags_index ON companies USING gin (workspace_id, tags) WITH (fastupdate = off) WHERE tags <> '{}';
CREATE INDEX companies_match_index ON companies USING gin (workspace_id, match_keys) WITH (fastupdate = off) WHERE match_keys <> '{}';
-- A trigram index entry by entry costs 300 µs a row, through a pending list 35 µs. Every search reads the whole list, so
-- it is kept at 2 MB, which costs a search up to 10 ms; the worker empties it when there is time.
CREATE INDEX companies_search_index ON companies USING gin (workspace_id, search gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 2048);
CREATE INDEX companies_domain_index ON companies (workspace_id, domain) WHERE domain IS NOT NULL;
CREATE INDEX companies_parent_index ON companies (workspace_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX companies_kind_index ON companies (workspace_id, kind, created_at, id) WHERE kind IS NOT NULL;
