DROP TABLE lead_score_changes, lead_scores;
ALTER TABLE leads DROP COLUMN score, ADD COLUMN created_by uuid;
UPDATE leads SET created_by = (details ->> 'created_by')::uuid, details = details - 'created_by' WHERE details ? 'created_by';
