DROP INDEX contacts_place_index;
DROP INDEX contacts_birthday_index;
ALTER TABLE companies DROP COLUMN folded;
ALTER TABLE contacts DROP COLUMN folded;
