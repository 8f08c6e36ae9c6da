BEGIN;
SELECT id, first_name, last_name, match_keys FROM contacts
 WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND match_keys <> '{}'
   AND match_keys && ARRAY['email:' || 'ida' || :new || '@new.example'];
$contact
RETURNING $columns;
$created;
COMMIT;
