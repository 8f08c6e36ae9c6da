SELECT record_id, source_version FROM external_ids
 WHERE workspace_id = '$workspace' AND connection = 'bench' AND record_kind = 'contact' AND external_id = 'K' || :n;
