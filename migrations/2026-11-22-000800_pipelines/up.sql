-- Pipelines, and the stages through which opportunities go.
CREATE TABLE pipelines (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    -- Counts the changes of its stages, too: whoever changes them writes this row.
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    name text NOT NULL,
    is_default boolean NOT NULL,
    archived boolean NOT NULL,
    allow_backward boolean NOT NULL,
    allow_skip boolean NOT NULL,
    CONSTRAINT pipelines_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT pipelines_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT pipelines_name_unique UNIQUE (workspace_id, name)
);

CREATE UNIQUE INDEX pipelines_default_unique ON pipelines (workspace_id) WHERE is_default;

CREATE TABLE stages (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    pipeline_id uuid NOT NULL,
    -- Its place from the first to the last; those that were taken away come after all others.
    position integer NOT NULL,
    archived boolean NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    class text NOT NULL,
    probability smallint NOT NULL,
    forecast_category text NOT NULL,
    expected_days integer,
    warning_days integer,
    can_begin boolean NOT NULL,
    required_fields text[] NOT NULL,
    CONSTRAINT stages_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT stages_pipeline_fkey FOREIGN KEY (workspace_id, pipeline_id) REFERENCES pipelines (workspace_id, id),
    CONSTRAINT stages_class_check CHECK (class IN ('open', 'won', 'lost')),
    CONSTRAINT stages_probability_check CHECK (probability BETWEEN 0 AND 100),
    CONSTRAINT stages_forecast_category_check
        CHECK (forecast_category IN ('omitted', 'pipeline', 'best_case', 'commit', 'closed'))
);

CREATE INDEX stages_pipeline_index ON stages (workspace_id, pipeline_id, position);

-- The pipeline with which every workspace begins; `Pipeline::seed` of the domain says the same for new ones.
INSERT INTO pipelines (workspace_id, id, version, created_at, updated_at, name, is_default, archived, allow_backward, allow_skip)
SELECT workspaces.id, gen_random_uuid(), 1, workspaces.created_at, workspaces.created_at, 'Sales', true, false, true, true
  FROM workspaces;

INSERT INTO stages (workspace_id, id, pipeline_id, position, archived, key, name, class, probability, forecast_category,
                    can_begin, required_fields)
SELECT pipelines.workspace_id, gen_random_uuid(), pipelines.id, seed.position, false, seed.key, seed.name, seed.class,
       seed.probability, seed.forecast_category, seed.class = 'open', '{}'
  FROM pipelines
 CROSS JOIN (VALUES
    (0, 'prospecting', 'Prospecting', 'open', 10, 'pipeline'),
    (1, 'qualification', 'Qualification', 'open', 20, 'pipeline'),
    (2, 'proposal', 'Proposal', 'open', 50, 'best_case'),
    (3, 'negotiation', 'Negotiation', 'open', 80, 'commit'),
    (4, 'won', 'Won', 'won', 100, 'closed'),
    (5, 'lost', 'Lost', 'lost', 0, 'omitted')
 ) AS seed (position, key, name, class, probability, forecast_category);
