-- What became of leads: kept to be told again, and to be taken back. A line is only ever added; all that changes of it is that
-- it ends. A lead has one at most that has not ended.
CREATE TABLE lead_conversions (
    workspace_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    -- The version that the lead became.
    version bigint NOT NULL,
    converted_at timestamptz NOT NULL,
    reverted_at timestamptz,
    -- The status that the lead had, by its key, which outlives it.
    status text NOT NULL,
    status_entered_at timestamptz NOT NULL,
    -- What was created, what was given to records that were there, what was moved to them, and what was not carried over.
    details jsonb NOT NULL,
    CONSTRAINT lead_conversions_pkey PRIMARY KEY (workspace_id, lead_id, version),
    CONSTRAINT lead_conversions_lead_fkey FOREIGN KEY (workspace_id, lead_id) REFERENCES leads (workspace_id, id)
);

CREATE UNIQUE INDEX lead_conversions_living_unique ON lead_conversions (workspace_id, lead_id) WHERE reverted_at IS NULL;

-- There were no opportunities yet when leads came.
ALTER TABLE leads
    ADD CONSTRAINT leads_converted_opportunity_fkey FOREIGN KEY (workspace_id, converted_opportunity_id)
        REFERENCES opportunities (workspace_id, id);
