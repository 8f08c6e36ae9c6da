-- What may be sold: to whom, for how much and when.
CREATE TABLE opportunities (
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
    name text NOT NULL,
    company_id uuid,
    -- Of the contacts in the details, to find opportunities by.
    contact_ids uuid[] NOT NULL,
    pipeline_id uuid NOT NULL,
    stage_id uuid NOT NULL,
    stage_class text NOT NULL,
    stage_entered_at timestamptz NOT NULL,
    probability smallint NOT NULL,
    forecast_category text NOT NULL,
    amount numeric(19, 4),
    currency text,
    close_date date,
    closed_at timestamptz,
    lost_reason_id uuid,
    -- What is only shown: description, lines, contacts with their roles, type, source, recurring revenue, next step.
    details jsonb NOT NULL,
    -- What is derived, for finding and sorting.
    search text NOT NULL,
    sort_name text COLLATE "C" NOT NULL,
    folded jsonb NOT NULL,
    CONSTRAINT opportunities_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT opportunities_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES users (workspace_id, id),
    CONSTRAINT opportunities_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id),
    CONSTRAINT opportunities_company_fkey FOREIGN KEY (workspace_id, company_id) REFERENCES companies (workspace_id, id),
    CONSTRAINT opportunities_pipeline_fkey FOREIGN KEY (workspace_id, pipeline_id) REFERENCES pipelines (workspace_id, id),
    CONSTRAINT opportunities_stage_fkey FOREIGN KEY (workspace_id, stage_id) REFERENCES stages (workspace_id, id),
    CONSTRAINT opportunities_lost_reason_fkey
        FOREIGN KEY (workspace_id, lost_reason_id) REFERENCES lost_reasons (workspace_id, id),
    CONSTRAINT opportunities_source_check
        CHECK (source IN ('api', 'import', 'form', 'email', 'sync', 'merge', 'automation', 'conversion')),
    CONSTRAINT opportunities_stage_class_check CHECK (stage_class IN ('open', 'won', 'lost')),
    CONSTRAINT opportunities_probability_check CHECK (probability BETWEEN 0 AND 100),
    CONSTRAINT opportunities_forecast_category_check
        CHECK (forecast_category IN ('omitted', 'pipeline', 'best_case', 'commit', 'closed')),
    CONSTRAINT opportunities_amount_check CHECK ((amount IS NULL OR currency IS NOT NULL) AND amount <> 'NaN'),
    CONSTRAINT opportunities_closed_check CHECK ((closed_at IS NULL) = (stage_class = 'open')),
    CONSTRAINT opportunities_lost_check CHECK ((lost_reason_id IS NULL) = (stage_class <> 'lost'))
) WITH (fillfactor = 85);

-- One index for each order of a list, and its twin for the deleted.
CREATE INDEX opportunities_created_index ON opportunities (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX opportunities_updated_index ON opportunities (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX opportunities_name_index ON opportunities (workspace_id, sort_name, id) WHERE deleted_at IS NULL;
CREATE INDEX opportunities_deleted_created_index ON opportunities (workspace_id, created_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX opportunities_deleted_updated_index ON opportunities (workspace_id, updated_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX opportunities_deleted_name_index ON opportunities (workspace_id, sort_name, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX opportunities_owner_index ON opportunities (workspace_id, owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX opportunities_owner_updated_index ON opportunities (workspace_id, owner_id, updated_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX opportunities_owner_name_index ON opportunities (workspace_id, owner_id, sort_name, id) WHERE owner_id IS NOT NULL;
CREATE INDEX opportunities_team_created_index ON opportunities (workspace_id, team_id, created_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX opportunities_team_updated_index ON opportunities (workspace_id, team_id, updated_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX opportunities_team_name_index ON opportunities (workspace_id, team_id, sort_name, id) WHERE team_id IS NOT NULL;
-- One index for each filter in which few share a value.
CREATE INDEX opportunities_company_index ON opportunities (workspace_id, company_id, created_at, id) WHERE company_id IS NOT NULL;
CREATE INDEX opportunities_stage_index ON opportunities (workspace_id, stage_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX opportunities_pipeline_index ON opportunities (workspace_id, pipeline_id, stage_class, created_at, id);
CREATE INDEX opportunities_close_date_index ON opportunities (workspace_id, close_date, id) WHERE deleted_at IS NULL;
CREATE INDEX opportunities_closed_index ON opportunities (workspace_id, closed_at, id) WHERE closed_at IS NOT NULL;
CREATE INDEX opportunities_lost_reason_index ON opportunities (workspace_id, lost_reason_id) WHERE lost_reason_id IS NOT NULL;
CREATE INDEX opportunities_contacts_index ON opportunities USING gin (workspace_id, contact_ids) WITH (fastupdate = off)
    WHERE contact_ids <> '{}';
CREATE INDEX opportunities_tags_index ON opportunities USING gin (workspace_id, tags)
    WITH (fastupdate = on, gin_pending_list_limit = 256) WHERE tags <> '{}';
CREATE INDEX opportunities_search_index ON opportunities USING gin (workspace_id, search gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 2048);

-- What reports look at, as it was from one moment to another: the one history from which stage spells, changes of the
-- close date and reports of any past instant are told. A row is added in the transaction that changes an opportunity;
-- nothing else of it ever changes than the moment at which it ends.
CREATE TABLE opportunity_states (
    workspace_id uuid NOT NULL,
    opportunity_id uuid NOT NULL,
    -- Version of the opportunity with which the state began.
    version bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    deleted boolean NOT NULL,
    pipeline_id uuid NOT NULL,
    stage_id uuid NOT NULL,
    stage_class text NOT NULL,
    stage_entered_at timestamptz NOT NULL,
    probability smallint NOT NULL,
    forecast_category text NOT NULL,
    amount numeric(19, 4),
    currency text,
    close_date date,
    closed_at timestamptz,
    owner_id uuid,
    team_id uuid,
    lead_source text,
    lost_reason_id uuid,
    actor_id uuid,
    CONSTRAINT opportunity_states_pkey PRIMARY KEY (workspace_id, opportunity_id, version),
    CONSTRAINT opportunity_states_opportunity_fkey
        FOREIGN KEY (workspace_id, opportunity_id) REFERENCES opportunities (workspace_id, id),
    CONSTRAINT opportunity_states_time_check CHECK (valid_to >= valid_from)
);

-- Reports of now read the open ones from the index alone.
CREATE INDEX opportunity_states_open_index ON opportunity_states (workspace_id, pipeline_id, stage_id)
    INCLUDE (opportunity_id, amount, currency, probability, forecast_category, close_date, owner_id, team_id, lead_source,
             stage_entered_at)
    WHERE valid_to IS NULL AND stage_class = 'open' AND NOT deleted;
CREATE INDEX opportunity_states_closed_index ON opportunity_states (workspace_id, closed_at)
    WHERE valid_to IS NULL AND stage_class <> 'open' AND NOT deleted;
-- Those of then: what began before and had not ended.
CREATE INDEX opportunity_states_time_index ON opportunity_states (workspace_id, valid_to, valid_from);

-- Custom fields of opportunities.
ALTER TABLE custom_fields DROP CONSTRAINT custom_fields_resource_check;
ALTER TABLE custom_fields
    ADD CONSTRAINT custom_fields_resource_check CHECK (resource IN ('contacts', 'companies', 'opportunities', 'products'));
