-- The texts of a record as filters compare them, folded by the code that writes them. Rows from before are folded by
-- `rapport migrate`, which runs this; until then they are '{}'.
ALTER TABLE contacts ADD COLUMN folded jsonb NOT NULL DEFAULT '{}';
ALTER TABLE companies ADD COLUMN folded jsonb NOT NULL DEFAULT '{}';
