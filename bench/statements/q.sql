\set word random(1, 200)
SELECT $columns
  FROM contacts WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND search LIKE '%' || (ARRAY[$names])[:word] || '%'
 ORDER BY id DESC LIMIT 51;
