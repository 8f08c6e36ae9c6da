BEGIN;
$contacts;
$entries;
COMMIT;
