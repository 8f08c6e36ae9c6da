-- Tables that are younger than filters never held a record whose texts were not folded as it was written.
DROP INDEX products_unfolded_index;
DROP INDEX leads_unfolded_index;
DROP INDEX tasks_unfolded_index;
ALTER TABLE products ALTER COLUMN folded DROP DEFAULT;
ALTER TABLE leads ALTER COLUMN folded DROP DEFAULT;
ALTER TABLE tasks ALTER COLUMN folded DROP DEFAULT;
