BEGIN;
INSERT INTO idempotency_keys (workspace_id, actor_id, key, fingerprint, answer, created_at)
VALUES ('$workspace', '$workspace', 'bench-' || :new, decode(repeat('ab', 32), 'hex'), decode(repeat('ab', 800), 'hex'), now())
    ON CONFLICT DO NOTHING;
$contact
RETURNING $columns;
$created;
COMMIT;
