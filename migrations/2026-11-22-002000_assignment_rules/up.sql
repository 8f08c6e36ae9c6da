-- Who gets which new leads: a list in which the first rule that fits and has somebody to give decides.
CREATE TABLE assignment_rules (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    name text NOT NULL,
    position bigint NOT NULL,
    active boolean NOT NULL,
    -- For which leads; all of them where there is none.
    filter jsonb,
    strategy text NOT NULL,
    user_ids uuid[] NOT NULL,
    team_id uuid,
    max_open_leads bigint,
    CONSTRAINT assignment_rules_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT assignment_rules_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT assignment_rules_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id),
    CONSTRAINT assignment_rules_name_unique UNIQUE (workspace_id, name),
    CONSTRAINT assignment_rules_strategy_check CHECK (strategy IN ('direct', 'round_robin', 'least_busy'))
);

CREATE INDEX assignment_rules_position_index ON assignment_rules (workspace_id, position, id);
CREATE INDEX assignment_rules_team_index ON assignment_rules (workspace_id, team_id) WHERE team_id IS NOT NULL;

-- Whose turn was the last, apart from the rule: a turn is no version of it. Who is about to give a lead holds the row.
CREATE TABLE assignment_turns (
    workspace_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    last_user_id uuid,
    CONSTRAINT assignment_turns_pkey PRIMARY KEY (workspace_id, rule_id),
    CONSTRAINT assignment_turns_rule_fkey FOREIGN KEY (workspace_id, rule_id)
        REFERENCES assignment_rules (workspace_id, id) ON DELETE CASCADE
);

-- How many open leads somebody has.
CREATE INDEX leads_owner_open_index ON leads (workspace_id, owner_id)
    WHERE deleted_at IS NULL AND status_class IN ('open', 'ongoing', 'on_hold');
