-- Under which ids outside systems know records; `import` is the system of imported files.
CREATE TABLE external_ids (
    workspace_id uuid NOT NULL,
    connection text NOT NULL,
    record_kind text NOT NULL,
    external_id text NOT NULL,
    record_id uuid NOT NULL,
    CONSTRAINT external_ids_pkey PRIMARY KEY (workspace_id, connection, record_kind, external_id)
);

CREATE INDEX external_ids_record_index ON external_ids (workspace_id, record_kind, record_id);

-- How far an import has come. Moves on in the transaction that writes the rows, so that an interrupted import goes on
-- where it stopped.
CREATE TABLE imports (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    record_kind text NOT NULL,
    -- SHA-256 over the file and all that decides how it is read.
    fingerprint bytea NOT NULL,
    rows_done bigint NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    unchanged bigint NOT NULL,
    failed bigint NOT NULL,
    -- Length of the errors file that goes with the rows done.
    errors_length bigint NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT imports_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT imports_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id)
);

CREATE INDEX imports_fingerprint_index ON imports (workspace_id, fingerprint);
-- One run of a file at a time.
CREATE UNIQUE INDEX imports_running_unique ON imports (workspace_id, fingerprint) WHERE finished_at IS NULL;
