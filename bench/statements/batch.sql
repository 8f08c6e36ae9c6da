BEGIN;
SELECT id, first_name, last_name, match_keys FROM contacts
 WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND match_keys <> '{}'
   AND match_keys && (SELECT array_agg('email:' || 'ida' || n || '@new.example') $thousand);
$contacts;
$entries;
COMMIT;
