-- Who may do what: roles, teams, and records that are shared one by one.
CREATE TABLE roles (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    name text NOT NULL,
    description text,
    -- May do everything, also what later versions of Rapport add.
    is_admin boolean NOT NULL,
    -- What it may do with the records of each resource; see AccessRule in the domain.
    rules jsonb NOT NULL,
    permissions text[] NOT NULL,
    CONSTRAINT roles_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT roles_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT roles_name_unique UNIQUE (workspace_id, name)
);

CREATE TABLE teams (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by uuid,
    updated_by uuid,
    name text NOT NULL,
    description text,
    parent_id uuid,
    CONSTRAINT teams_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT teams_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT teams_name_unique UNIQUE (workspace_id, name),
    CONSTRAINT teams_parent_fkey FOREIGN KEY (workspace_id, parent_id) REFERENCES teams (workspace_id, id),
    CONSTRAINT teams_parent_check CHECK (parent_id <> id)
);

CREATE INDEX teams_parent_index ON teams (workspace_id, parent_id) WHERE parent_id IS NOT NULL;

ALTER TABLE users
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz,
    ADD COLUMN created_by uuid,
    ADD COLUMN updated_by uuid,
    ADD COLUMN state text NOT NULL DEFAULT 'active';
UPDATE users SET updated_at = created_at, state = CASE WHEN active THEN 'active' ELSE 'deactivated' END;
ALTER TABLE users
    ALTER COLUMN version DROP DEFAULT,
    ALTER COLUMN updated_at SET NOT NULL,
    ALTER COLUMN state DROP DEFAULT,
    ADD CONSTRAINT users_state_check CHECK (state IN ('invited', 'active', 'deactivated'));

CREATE INDEX users_created_index ON users (workspace_id, created_at, id);

-- Whom the roles belong to; several of one user add up.
CREATE TABLE user_roles (
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role_id uuid NOT NULL,
    CONSTRAINT user_roles_pkey PRIMARY KEY (workspace_id, user_id, role_id),
    CONSTRAINT user_roles_user_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES users (workspace_id, id),
    CONSTRAINT user_roles_role_fkey FOREIGN KEY (workspace_id, role_id) REFERENCES roles (workspace_id, id)
);

CREATE INDEX user_roles_role_index ON user_roles (workspace_id, role_id);

-- Who is in which teams, the main one first.
CREATE TABLE team_members (
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    team_id uuid NOT NULL,
    place bigint NOT NULL,
    CONSTRAINT team_members_pkey PRIMARY KEY (workspace_id, user_id, team_id),
    CONSTRAINT team_members_user_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES users (workspace_id, id),
    CONSTRAINT team_members_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id)
);

CREATE INDEX team_members_team_index ON team_members (workspace_id, team_id);

-- The four roles with which every workspace begins; `roles::seeds` of the domain says the same for new ones.
INSERT INTO roles (workspace_id, id, version, created_at, updated_at, name, description, is_admin, rules, permissions)
SELECT workspaces.id, gen_random_uuid(), 1, workspaces.created_at, workspaces.created_at,
       seed.name, seed.description, seed.name = 'admin', seed.rules::jsonb, seed.permissions
  FROM workspaces
 CROSS JOIN (VALUES
    ('admin', 'Does everything.', '[]', '{}'::text[]),
    ('manager', 'Does everything with records, and sees who works with them.',
     '[{"resource": "others", "read": "all", "write": "all", "create": true, "delete": true, "readable_fields": {"mode": "all_but", "fields": []}, "writable_fields": {"mode": "all_but", "fields": []}}]',
     '{roles:read,teams:read,users:read}'),
    ('agent', 'Sees, creates and changes records.',
     '[{"resource": "others", "read": "all", "write": "all", "create": true, "delete": false, "readable_fields": {"mode": "all_but", "fields": []}, "writable_fields": {"mode": "all_but", "fields": []}}]',
     '{teams:read,users:read}'),
    ('read_only', 'Sees records.',
     '[{"resource": "others", "read": "all", "write": "none", "create": false, "delete": false, "readable_fields": {"mode": "all_but", "fields": []}, "writable_fields": {"mode": "all_but", "fields": []}}]',
     '{teams:read,users:read}')
 ) AS seed (name, description, rules, permissions);

INSERT INTO user_roles (workspace_id, user_id, role_id)
SELECT users.workspace_id, users.id, roles.id
  FROM users JOIN roles ON roles.workspace_id = users.workspace_id AND roles.name = users.role;

ALTER TABLE users DROP COLUMN role, DROP COLUMN active;

-- A single record that somebody else may see or change, too.
CREATE TABLE record_shares (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    record_kind text NOT NULL,
    record_id uuid NOT NULL,
    user_id uuid,
    team_id uuid,
    access text NOT NULL,
    expires_at timestamptz,
    CONSTRAINT record_shares_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT record_shares_user_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES users (workspace_id, id),
    CONSTRAINT record_shares_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id),
    CONSTRAINT record_shares_with_check CHECK (num_nonnulls(user_id, team_id) = 1),
    CONSTRAINT record_shares_access_check CHECK (access IN ('read', 'write'))
);

CREATE UNIQUE INDEX record_shares_user_unique ON record_shares (workspace_id, record_kind, record_id, user_id)
    WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX record_shares_team_unique ON record_shares (workspace_id, record_kind, record_id, team_id)
    WHERE team_id IS NOT NULL;
CREATE INDEX record_shares_of_user_index ON record_shares (workspace_id, user_id, record_kind) WHERE user_id IS NOT NULL;
CREATE INDEX record_shares_of_team_index ON record_shares (workspace_id, team_id, record_kind) WHERE team_id IS NOT NULL;
CREATE INDEX record_shares_created_index ON record_shares (workspace_id, created_at, id);

-- The team that a record belongs to.
ALTER TABLE contacts
    ADD COLUMN team_id uuid,
    ADD CONSTRAINT contacts_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id);
ALTER TABLE companies
    ADD COLUMN team_id uuid,
    ADD CONSTRAINT companies_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id);

-- Who sees their own records or those of a team reads the lists of each owner and team side by side: one index for each
-- order. contacts_owner_index and companies_owner_index are there already.
CREATE INDEX contacts_owner_updated_index ON contacts (workspace_id, owner_id, updated_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX contacts_owner_name_index ON contacts (workspace_id, owner_id, sort_name, id) WHERE owner_id IS NOT NULL;
CREATE INDEX contacts_team_created_index ON contacts (workspace_id, team_id, created_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX contacts_team_updated_index ON contacts (workspace_id, team_id, updated_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX contacts_team_name_index ON contacts (workspace_id, team_id, sort_name, id) WHERE team_id IS NOT NULL;
CREATE INDEX companies_owner_updated_index ON companies (workspace_id, owner_id, updated_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX companies_owner_name_index ON companies (workspace_id, owner_id, sort_name, id) WHERE owner_id IS NOT NULL;
CREATE INDEX companies_team_created_index ON companies (workspace_id, team_id, created_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX companies_team_updated_index ON companies (workspace_id, team_id, updated_at, id) WHERE team_id IS NOT NULL;
CREATE INDEX companies_team_name_index ON companies (workspace_id, team_id, sort_name, id) WHERE team_id IS NOT NULL;

-- The audit of access: entries of the journal about who signs in, who may do what, and who looked.
ALTER TABLE journal
    ADD COLUMN is_audit boolean NOT NULL DEFAULT false,
    -- From where, for entries of the audit.
    ADD COLUMN address text;
ALTER TABLE journal ALTER COLUMN is_audit DROP DEFAULT;

CREATE INDEX journal_audit_index ON journal (workspace_id, at, id) WHERE is_audit;

-- To create is a right of its own now.
UPDATE api_keys SET scopes = scopes || '{contacts:create}' WHERE 'contacts:write' = ANY (scopes);
UPDATE api_keys SET scopes = scopes || '{companies:create}' WHERE 'companies:write' = ANY (scopes);
