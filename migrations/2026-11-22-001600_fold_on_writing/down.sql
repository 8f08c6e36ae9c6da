ALTER TABLE products ALTER COLUMN folded SET DEFAULT '{}';
ALTER TABLE leads ALTER COLUMN folded SET DEFAULT '{}';
ALTER TABLE tasks ALTER COLUMN folded SET DEFAULT '{}';
CREATE INDEX products_unfolded_index ON products (workspace_id, id) WHERE folded = '{}';
CREATE INDEX leads_unfolded_index ON leads (workspace_id, id) WHERE folded = '{}';
CREATE INDEX tasks_unfolded_index ON tasks (workspace_id, id) WHERE folded = '{}';
