\set word random(1, 200)
SELECT $columns
  FROM contacts WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND country IN ('DE', 'AT')
   AND company_id IN (SELECT id FROM companies WHERE workspace_id = '$workspace' AND deleted_at IS NULL
                         AND domain = (ARRAY[$domains])[:word] || '.example')
 ORDER BY sort_name, id LIMIT 51;
