SELECT version FROM contacts
 WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND id = ('01900000-0000-7000-8000-' || :n)::uuid \gset
UPDATE contacts SET version = version + 1, updated_at = now(), updated_by = '$workspace', job_title = 'Title ' || :i,
       folded = jsonb_set(folded, '{job_title}', to_jsonb('title ' || :i))
 WHERE workspace_id = '$workspace' AND id = ('01900000-0000-7000-8000-' || :n)::uuid AND version = :version
RETURNING $columns;
INSERT INTO journal (workspace_id, id, event, record_kind, record_id, version, changes, actor_kind, actor_id, request_id, at,
                     is_audit)
VALUES ('$workspace', ('01a00000-0000-7000-8009-' || :new)::uuid, 'contact.updated', 'contact',
        ('01900000-0000-7000-8000-' || :n)::uuid, :version + 1, '[{"field": "job_title", "from": "Buyer", "to": "Title"}]',
        'api_key', '$workspace', 'request', now(), false);
