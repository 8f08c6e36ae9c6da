\set word random(1, 200)
SELECT * FROM (
  SELECT $columns
    FROM contacts WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND words_of(workspace_id, search) @@ ('$mark' || (ARRAY[$names])[:word] || ':*')::tsquery
  OFFSET 0) AS found
 ORDER BY id DESC LIMIT 51;
