BEGIN;
$contact
RETURNING $columns;
$created;
COMMIT;
