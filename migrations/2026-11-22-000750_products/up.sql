-- What a business sells.
CREATE TABLE products (
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
    code text NOT NULL,
    name text NOT NULL,
    tax_rate numeric(7, 4),
    recurring_interval text,
    active boolean NOT NULL,
    stock_state text,
    -- What is only shown: description, category, unit, prices, kind of tax.
    details jsonb NOT NULL,
    -- What is derived, for finding and sorting.
    currencies text[] NOT NULL,
    search text NOT NULL,
    sort_name text COLLATE "C" NOT NULL,
    folded jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT products_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT products_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES users (workspace_id, id),
    CONSTRAINT products_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id),
    CONSTRAINT products_source_check
        CHECK (source IN ('api', 'import', 'form', 'email', 'sync', 'merge', 'automation', 'conversion')),
    CONSTRAINT products_tax_rate_check CHECK (tax_rate BETWEEN 0 AND 100),
    CONSTRAINT products_recurring_interval_check CHECK (recurring_interval IN ('month', 'quarter', 'year')),
    CONSTRAINT products_stock_state_check CHECK (stock_state IN ('in_stock', 'out_of_stock', 'discontinued'))
) WITH (fillfactor = 85);

-- No two living products have the same code; what was deleted gives its own free. The twin finds the deleted by theirs.
CREATE UNIQUE INDEX products_code_unique ON products (workspace_id, code) WHERE deleted_at IS NULL;
CREATE INDEX products_deleted_code_index ON products (workspace_id, code) WHERE deleted_at IS NOT NULL;

-- One index for each order of a list, and its twin for the deleted, which costs the living nothing.
CREATE INDEX products_created_index ON products (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX products_updated_index ON products (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX products_name_index ON products (workspace_id, sort_name, id) WHERE deleted_at IS NULL;
CREATE INDEX products_deleted_created_index ON products (workspace_id, created_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX products_deleted_updated_index ON products (workspace_id, updated_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX products_deleted_name_index ON products (workspace_id, sort_name, id) WHERE deleted_at IS NOT NULL;

-- The same orders for those who may not see all.
CREATE INDEX products_owner_index ON products (workspace_id, owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX products_owner_updated_index ON products (workspace_id, owner_id, updated_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX products_owner_name_index ON products (workspace_id, owner_id, sort_name, id) WHERE owner_id IS NOT NULL;
CREATE INDEX products_team_created_index ON products (workspace_id, team_id, created_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX products_team_updated_index ON products (workspace_id, team_id, updated_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX products_team_name_index ON products (workspace_id, team_id, sort_name, id) WHERE team_id IS NOT NULL;

-- Filters.
CREATE INDEX products_category_index ON products (workspace_id, (folded ->> 'category'), created_at, id);
CREATE INDEX products_active_index ON products (workspace_id, active, created_at, id);
CREATE INDEX products_interval_index ON products (workspace_id, recurring_interval, created_at, id)
    WHERE recurring_interval IS NOT NULL;
CREATE INDEX products_tags_index ON products USING gin (workspace_id, tags)
    WITH (fastupdate = on, gin_pending_list_limit = 256) WHERE tags <> '{}';
CREATE INDEX products_currencies_index ON products USING gin (workspace_id, currencies)
    WITH (fastupdate = on, gin_pending_list_limit = 256) WHERE currencies <> '{}';
CREATE INDEX products_search_index ON products USING gin (workspace_id, search gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 2048);
CREATE INDEX products_unfolded_index ON products (workspace_id, id) WHERE folded = '{}';

ALTER TABLE custom_fields
    DROP CONSTRAINT custom_fields_resource_check,
    ADD CONSTRAINT custom_fields_resource_check CHECK (resource IN ('contacts', 'companies', 'products'));
