SELECT $columns
  FROM contacts WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND (sort_name, id) > ('$page_key', '$page_id'::uuid)
 ORDER BY sort_name, id LIMIT 51;
