\set owner random(1, 20)
SELECT $columns
  FROM contacts WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND owner_id = (ARRAY[$owners]::uuid[])[:owner]
 ORDER BY sort_name, id LIMIT 51;
