SELECT version FROM contacts WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND id = ('01900000-0000-7000-8000-' || :n)::uuid;
