-- People and organisations who may become customers.
CREATE TABLE leads (
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
    tags text[] NOT NULL,
    external_ids jsonb NOT NULL,
    -- The key of a lead status, which never changes, and its class, which does not once leads have it.
    status text NOT NULL,
    status_class text NOT NULL,
    status_entered_at timestamptz NOT NULL,
    lead_source text,
    rating text,
    expected_amount numeric(19, 4),
    currency text,
    lost_reason_id uuid,
    converted_contact_id uuid,
    converted_company_id uuid,
    converted_opportunity_id uuid,
    custom jsonb NOT NULL,
    -- What is only shown: names, mail and postal addresses, numbers, how the lead came.
    details jsonb NOT NULL,
    -- What is derived, for finding and sorting.
    match_keys text[] NOT NULL,
    search text NOT NULL,
    sort_name text COLLATE "C" NOT NULL,
    country text,
    latitude double precision,
    longitude double precision,
    folded jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT leads_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT leads_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES users (workspace_id, id),
    CONSTRAINT leads_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id),
    CONSTRAINT leads_status_fkey FOREIGN KEY (workspace_id, status, status_class)
        REFERENCES lead_statuses (workspace_id, key, class),
    CONSTRAINT leads_lost_reason_fkey FOREIGN KEY (workspace_id, lost_reason_id) REFERENCES lost_reasons (workspace_id, id),
    CONSTRAINT leads_converted_contact_fkey FOREIGN KEY (workspace_id, converted_contact_id)
        REFERENCES contacts (workspace_id, id),
    CONSTRAINT leads_converted_company_fkey FOREIGN KEY (workspace_id, converted_company_id)
        REFERENCES companies (workspace_id, id),
    CONSTRAINT leads_lost_check CHECK (status_class = 'lost' OR lost_reason_id IS NULL),
    CONSTRAINT leads_lead_source_check
        CHECK (lead_source IN ('call', 'email', 'existing_customer', 'partner', 'public_relations', 'website', 'campaign',
                               'advertisement', 'referral', 'trade_show', 'social', 'cold_call', 'walk_in', 'other')),
    CONSTRAINT leads_rating_check CHECK (rating IN ('hot', 'warm', 'cold')),
    CONSTRAINT leads_expected_amount_check
        CHECK ((expected_amount IS NULL) = (currency IS NULL) AND expected_amount <> 'NaN')
) WITH (fillfactor = 85);

-- One index for each order of a list, and its twin for the deleted, which costs the living nothing.
CREATE INDEX leads_created_index ON leads (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_updated_index ON leads (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_name_index ON leads (workspace_id, sort_name, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_deleted_created_index ON leads (workspace_id, created_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX leads_deleted_updated_index ON leads (workspace_id, updated_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX leads_deleted_name_index ON leads (workspace_id, sort_name, id) WHERE deleted_at IS NOT NULL;
-- For those who see their own records or those of a team, and for the filters by owner and team.
CREATE INDEX leads_owner_created_index ON leads (workspace_id, owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX leads_owner_updated_index ON leads (workspace_id, owner_id, updated_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX leads_owner_name_index ON leads (workspace_id, owner_id, sort_name, id) WHERE owner_id IS NOT NULL;
CREATE INDEX leads_team_created_index ON leads (workspace_id, team_id, created_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX leads_team_updated_index ON leads (workspace_id, team_id, updated_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX leads_team_name_index ON leads (workspace_id, team_id, sort_name, id) WHERE team_id IS NOT NULL;
-- Also for whoever looks whether a status may go, which deleted leads have, too.
CREATE INDEX leads_status_index ON leads (workspace_id, status, created_at, id);
CREATE INDEX leads_status_class_index ON leads (workspace_id, status_class, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_lead_source_index ON leads (workspace_id, lead_source, created_at, id) WHERE lead_source IS NOT NULL;
CREATE INDEX leads_rating_index ON leads (workspace_id, rating, created_at, id) WHERE rating IS NOT NULL;
CREATE INDEX leads_lost_reason_index ON leads (workspace_id, lost_reason_id) WHERE lost_reason_id IS NOT NULL;
CREATE INDEX leads_converted_contact_index ON leads (workspace_id, converted_contact_id)
    WHERE converted_contact_id IS NOT NULL;
CREATE INDEX leads_converted_company_index ON leads (workspace_id, converted_company_id)
    WHERE converted_company_id IS NOT NULL;
CREATE INDEX leads_converted_opportunity_index ON leads (workspace_id, converted_opportunity_id)
    WHERE converted_opportunity_id IS NOT NULL;
CREATE INDEX leads_country_index ON leads (workspace_id, country) WHERE country IS NOT NULL;
CREATE INDEX leads_place_index ON leads (workspace_id, latitude, longitude) WHERE latitude IS NOT NULL;
CREATE INDEX leads_tags_index ON leads USING gin (workspace_id, tags)
    WITH (fastupdate = on, gin_pending_list_limit = 256) WHERE tags <> '{}';
CREATE INDEX leads_match_index ON leads USING gin (workspace_id, match_keys) WITH (fastupdate = off)
    WHERE match_keys <> '{}';
CREATE INDEX leads_search_index ON leads USING gin (workspace_id, search gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 2048);
CREATE INDEX leads_unfolded_index ON leads (workspace_id, id) WHERE folded = '{}';

-- Which statuses a lead has had. A line is only ever added: a time in a status ends where the next one begins. By the keys of
-- the statuses, which outlive them. The version is that of the lead since then.
CREATE TABLE lead_status_history (
    workspace_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    version bigint NOT NULL,
    from_status text,
    to_status text NOT NULL,
    to_status_class text NOT NULL,
    entered_at timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    CONSTRAINT lead_status_history_pkey PRIMARY KEY (workspace_id, lead_id, version),
    CONSTRAINT lead_status_history_lead_fkey FOREIGN KEY (workspace_id, lead_id) REFERENCES leads (workspace_id, id)
);

ALTER TABLE custom_fields
    DROP CONSTRAINT custom_fields_resource_check,
    ADD CONSTRAINT custom_fields_resource_check CHECK (resource IN ('contacts', 'companies', 'opportunities', 'products', 'leads'));
