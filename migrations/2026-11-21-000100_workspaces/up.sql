-- Search by parts of words, and the tenant as a column of such an index. Both extensions are trusted: the owner of the
-- database may create them.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;

-- What the servers of one installation share: keys with which tokens are signed and cursors sealed.
CREATE TABLE secrets (
    name text NOT NULL,
    value bytea NOT NULL,
    CONSTRAINT secrets_pkey PRIMARY KEY (name)
);

CREATE TABLE workspaces (
    id uuid NOT NULL,
    name text NOT NULL,
    country text,
    created_at timestamptz NOT NULL,
    CONSTRAINT workspaces_pkey PRIMARY KEY (id),
    CONSTRAINT workspaces_name_unique UNIQUE (name),
    CONSTRAINT workspaces_name_check CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    CONSTRAINT workspaces_country_check CHECK (country ~ '^[A-Z]{2}$')
);

CREATE TABLE users (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    password_hash text,
    active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT users_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT users_email_unique UNIQUE (workspace_id, email),
    CONSTRAINT users_email_check CHECK (email = lower(email) AND length(email) <= 254),
    CONSTRAINT users_role_check CHECK (role IN ('admin', 'manager', 'agent', 'read_only'))
);

-- A directory: the id of a key finds its workspace, so the id alone is the key of the table.
CREATE TABLE api_keys (
    id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    scopes text[],
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT api_keys_secret_check CHECK (length(secret_hash) = 32)
);
