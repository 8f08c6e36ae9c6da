-- By which rules records get points.
CREATE TABLE score_definitions (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    name text NOT NULL,
    entity text NOT NULL,
    state text NOT NULL,
    -- The rules as they are being changed; those that count are in score_versions.
    groups jsonb NOT NULL,
    has_changes boolean NOT NULL,
    published_version bigint,
    published_at timestamptz,
    CONSTRAINT score_definitions_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT score_definitions_name_unique UNIQUE (workspace_id, name),
    CONSTRAINT score_definitions_entity_check CHECK (entity IN ('lead')),
    CONSTRAINT score_definitions_state_check CHECK (state IN ('draft', 'published', 'archived')),
    CONSTRAINT score_definitions_published_check
        CHECK ((published_version IS NULL) = (state = 'draft') AND (published_at IS NULL) = (state = 'draft'))
) WITH (fillfactor = 85);

-- One definition of an entity counts.
CREATE UNIQUE INDEX score_definitions_published_unique ON score_definitions (workspace_id, entity) WHERE state = 'published';

-- What was published. Nothing of a row changes but when it ended.
CREATE TABLE score_versions (
    workspace_id uuid NOT NULL,
    definition_id uuid NOT NULL,
    number bigint NOT NULL,
    entity text NOT NULL,
    groups jsonb NOT NULL,
    published_at timestamptz NOT NULL,
    published_by uuid,
    ended_at timestamptz,
    CONSTRAINT score_versions_pkey PRIMARY KEY (workspace_id, definition_id, number),
    CONSTRAINT score_versions_definition_fkey FOREIGN KEY (workspace_id, definition_id)
        REFERENCES score_definitions (workspace_id, id),
    CONSTRAINT score_versions_number_check CHECK (number > 0)
);

-- Which one counted at an instant.
CREATE INDEX score_versions_published_index ON score_versions (workspace_id, entity, published_at);

-- How far the records of an entity are scored by what counts. Whoever scores holds the row.
CREATE TABLE scorings (
    workspace_id uuid NOT NULL,
    entity text NOT NULL,
    -- None since the last one was archived: scores are taken back then.
    definition_id uuid,
    number bigint,
    -- Place in the feed of the workspace up to which changes were taken in.
    position bigint NOT NULL,
    -- All records are walked through once: those up to this id were, null before the first.
    after_id uuid,
    is_walking boolean NOT NULL,
    scored bigint NOT NULL,
    to_score bigint NOT NULL,
    CONSTRAINT scorings_pkey PRIMARY KEY (workspace_id, entity),
    CONSTRAINT scorings_version_fkey FOREIGN KEY (workspace_id, definition_id, number)
        REFERENCES score_versions (workspace_id, definition_id, number)
);
