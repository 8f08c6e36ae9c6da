BEGIN;
$lookup
$change
COMMIT;
