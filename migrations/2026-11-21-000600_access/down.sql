DROP INDEX journal_audit_index;
DELETE FROM journal WHERE is_audit;
ALTER TABLE journal DROP COLUMN address, DROP COLUMN is_audit;

DROP INDEX companies_team_name_index;
DROP INDEX companies_team_updated_index;
DROP INDEX companies_team_created_index;
DROP INDEX companies_owner_name_index;
DROP INDEX companies_owner_updated_index;
DROP INDEX contacts_team_name_index;
DROP INDEX contacts_team_updated_index;
DROP INDEX contacts_team_created_index;
DROP INDEX contacts_owner_name_index;
DROP INDEX contacts_owner_updated_index;
ALTER TABLE companies DROP COLUMN team_id;
ALTER TABLE contacts DROP COLUMN team_id;
DROP TABLE record_shares;

-- A user has one of the four roles again: the strongest, and the weakest who had another.
ALTER TABLE users ADD COLUMN role text, ADD COLUMN active boolean;
UPDATE users
   SET active = state = 'active',
       role = CASE WHEN roles.names && '{admin}' THEN 'admin' WHEN roles.names && '{manager}' THEN 'manager'
                   WHEN roles.names && '{agent}' THEN 'agent' ELSE 'read_only' END
  FROM (SELECT person.workspace_id, person.id, array_agg(roles.name) AS names
          FROM users AS person
          LEFT JOIN user_roles ON user_roles.workspace_id = person.workspace_id AND user_roles.user_id = person.id
          LEFT JOIN roles ON roles.workspace_id = user_roles.workspace_id AND roles.id = user_roles.role_id
         GROUP BY person.workspace_id, person.id) AS roles
 WHERE roles.workspace_id = users.workspace_id AND roles.id = users.id;
DROP TABLE team_members;
DROP TABLE user_roles;
DROP INDEX users_created_index;
ALTER TABLE users
    ALTER COLUMN role SET NOT NULL,
    ALTER COLUMN active SET NOT NULL,
    ADD CONSTRAINT users_role_check CHECK (role IN ('admin', 'manager', 'agent', 'read_only')),
    DROP COLUMN version,
    DROP COLUMN updated_at,
    DROP COLUMN created_by,
    DROP COLUMN updated_by,
    DROP COLUMN state;
DROP TABLE teams;
DROP TABLE roles;
UPDATE api_keys SET scopes = array_remove(array_remove(scopes, 'contacts:create'), 'companies:create');
