-- Who created a lead is only shown: it makes room for the score, by which leads are sorted.
UPDATE leads SET details = details || jsonb_build_object('created_by', created_by) WHERE created_by IS NOT NULL;
ALTER TABLE leads DROP COLUMN created_by, ADD COLUMN score numeric(12, 0);

-- For the order by score; the lists of owners and teams are sorted by it, too. Leads without one come last.
CREATE INDEX leads_score_index ON leads (workspace_id, score, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_deleted_score_index ON leads (workspace_id, score, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX leads_owner_score_index ON leads (workspace_id, owner_id, score, id) WHERE owner_id IS NOT NULL;
CREATE INDEX leads_team_score_index ON leads (workspace_id, team_id, score, id) WHERE team_id IS NOT NULL;

-- The score of each lead with what it is made of, and when it is to be reckoned anew.
CREATE TABLE lead_scores (
    workspace_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    definition_id uuid,
    number bigint,
    -- In hundredths of a point.
    total bigint,
    contributions jsonb NOT NULL,
    scored_at timestamptz,
    -- How often it has changed.
    changes bigint NOT NULL,
    due_at timestamptz,
    due_cause text,
    CONSTRAINT lead_scores_pkey PRIMARY KEY (workspace_id, lead_id),
    CONSTRAINT lead_scores_lead_fkey FOREIGN KEY (workspace_id, lead_id) REFERENCES leads (workspace_id, id),
    CONSTRAINT lead_scores_due_check CHECK ((due_at IS NULL) = (due_cause IS NULL)),
    CONSTRAINT lead_scores_due_cause_check CHECK (due_cause IN ('record_changed', 'event', 'time'))
) WITH (fillfactor = 70);

CREATE INDEX lead_scores_due_index ON lead_scores (workspace_id, due_at) WHERE due_at IS NOT NULL;

-- How the scores of leads have changed. A row is only ever added.
CREATE TABLE lead_score_changes (
    workspace_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    change bigint NOT NULL,
    at timestamptz NOT NULL,
    cause text NOT NULL,
    from_total bigint,
    to_total bigint,
    definition_id uuid,
    number bigint,
    differences jsonb NOT NULL,
    CONSTRAINT lead_score_changes_pkey PRIMARY KEY (workspace_id, lead_id, change),
    CONSTRAINT lead_score_changes_lead_fkey FOREIGN KEY (workspace_id, lead_id) REFERENCES leads (workspace_id, id),
    CONSTRAINT lead_score_changes_cause_check
        CHECK (cause IN ('record_changed', 'event', 'time', 'definition_published', 'definition_archived'))
);
