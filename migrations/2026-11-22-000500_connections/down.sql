ALTER TABLE external_ids DROP COLUMN source_version;
DROP TABLE connections;
