BEGIN;
$change
COMMIT;
