-- Forms of web pages whose submissions become leads.
CREATE TABLE capture_forms (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    name text NOT NULL,
    -- What pages send to. It begins with the workspace, so that no directory is needed to find it.
    key text NOT NULL,
    active boolean NOT NULL,
    allowed_origins text[] NOT NULL,
    fields jsonb NOT NULL,
    -- What its leads have that it does not ask, without owner and team.
    defaults jsonb NOT NULL,
    owner_id uuid,
    team_id uuid,
    on_duplicate text NOT NULL,
    honeypot_field text,
    proof_of_work_bits bigint NOT NULL,
    consent jsonb,
    redirect_url text,
    CONSTRAINT capture_forms_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT capture_forms_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT capture_forms_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES users (workspace_id, id),
    CONSTRAINT capture_forms_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id),
    CONSTRAINT capture_forms_name_unique UNIQUE (workspace_id, name),
    CONSTRAINT capture_forms_key_unique UNIQUE (workspace_id, key),
    CONSTRAINT capture_forms_on_duplicate_check CHECK (on_duplicate IN ('create_lead', 'add_to_lead')),
    CONSTRAINT capture_forms_proof_check CHECK (proof_of_work_bits BETWEEN 0 AND 24)
);

CREATE INDEX capture_forms_name_index ON capture_forms (workspace_id, name, id);
CREATE INDEX capture_forms_owner_index ON capture_forms (workspace_id, owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX capture_forms_team_index ON capture_forms (workspace_id, team_id) WHERE team_id IS NOT NULL;

-- What was sent, as evidence: a line is only ever added.
CREATE TABLE capture_submissions (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    form_id uuid NOT NULL,
    form_version bigint NOT NULL,
    lead_id uuid NOT NULL,
    result text NOT NULL,
    received_at timestamptz NOT NULL,
    -- The values as they were sent, by the names of the form, and what they were of the lead.
    values jsonb NOT NULL,
    utm jsonb,
    page_url text,
    -- Whether the consent was given that the form asked for, with its text.
    consent jsonb,
    address text,
    user_agent text,
    CONSTRAINT capture_submissions_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT capture_submissions_form_fkey FOREIGN KEY (workspace_id, form_id) REFERENCES capture_forms (workspace_id, id),
    CONSTRAINT capture_submissions_lead_fkey FOREIGN KEY (workspace_id, lead_id) REFERENCES leads (workspace_id, id),
    CONSTRAINT capture_submissions_result_check CHECK (result IN ('lead_created', 'added_to_lead'))
);

CREATE INDEX capture_submissions_form_index ON capture_submissions (workspace_id, form_id, received_at, id);
CREATE INDEX capture_submissions_lead_index ON capture_submissions (workspace_id, lead_id, received_at, id);

-- Challenges that were solved, until they expire: each is solved once.
CREATE TABLE spent_challenges (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT spent_challenges_pkey PRIMARY KEY (workspace_id, id)
);

-- For forgetting, across workspaces.
CREATE INDEX spent_challenges_expires_index ON spent_challenges (expires_at);

-- Forms act, too. What was written before was checked more narrowly, so that it need not be read again.
ALTER TABLE journal
    DROP CONSTRAINT journal_actor_check,
    ADD CONSTRAINT journal_actor_check CHECK (actor_kind IN ('user', 'api_key', 'system', 'capture_form')) NOT VALID;
