BEGIN;
$lookup
$contact
RETURNING $columns;
INSERT INTO external_ids (workspace_id, connection, record_kind, external_id, record_id)
VALUES ('$workspace', 'bench', 'contact', 'P' || :new, ('01a00000-0000-7000-8000-' || :new)::uuid);
$created;
COMMIT;
