ALTER TABLE companies DROP COLUMN folded;
ALTER TABLE contacts DROP COLUMN folded;
