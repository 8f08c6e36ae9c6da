DROP TABLE api_keys;
DROP TABLE users;
DROP TABLE workspaces;
DROP TABLE secrets;
DROP EXTENSION btree_gin;
DROP EXTENSION pg_trgm;
