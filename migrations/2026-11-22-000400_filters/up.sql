-- The texts of a record as filters compare them, folded by the code that writes them. Rows from before, and those of a
-- version that does not know the column, are folded by `rapport migrate`; until then they are '{}'.
ALTER TABLE contacts ADD COLUMN folded jsonb NOT NULL DEFAULT '{}';
ALTER TABLE companies ADD COLUMN folded jsonb NOT NULL DEFAULT '{}';

CREATE INDEX contacts_unfolded_index ON contacts (workspace_id, id) WHERE folded = '{}';
CREATE INDEX companies_unfolded_index ON companies (workspace_id, id) WHERE folded = '{}';

-- Birthdays by the day of the year, and places for circles on the map.
CREATE INDEX contacts_birthday_index
    ON contacts (workspace_id, ((extract(month FROM birthday) * 100 + extract(day FROM birthday))::integer))
    WHERE birthday IS NOT NULL;
CREATE INDEX contacts_place_index ON contacts (workspace_id, latitude, longitude) WHERE latitude IS NOT NULL;
