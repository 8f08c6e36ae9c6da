DROP TABLE user_tokens;

-- The version before knows one secret for each key: the newest stays. A key for a user or for some addresses alone would
-- be able to do more without these, so it ends.
ALTER TABLE api_keys ADD COLUMN secret_hash bytea;
UPDATE api_keys SET secret_hash = newest.secret_hash
  FROM (SELECT DISTINCT ON (workspace_id, api_key_id) workspace_id, api_key_id, secret_hash
          FROM api_key_secrets ORDER BY workspace_id, api_key_id, created_at DESC) AS newest
 WHERE newest.workspace_id = api_keys.workspace_id AND newest.api_key_id = api_keys.id;
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now())
 WHERE user_id IS NOT NULL OR allowed_addresses <> '{}';
ALTER TABLE api_keys
    ALTER COLUMN secret_hash SET NOT NULL,
    ADD CONSTRAINT api_keys_secret_check CHECK (length(secret_hash) = 32);
DROP TABLE api_key_secrets;

ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_user_fkey,
    DROP CONSTRAINT api_keys_workspace_unique,
    DROP COLUMN version,
    DROP COLUMN updated_at,
    DROP COLUMN created_by,
    DROP COLUMN updated_by,
    DROP COLUMN user_id,
    DROP COLUMN allowed_addresses,
    DROP COLUMN last_used_address,
    DROP COLUMN known_addresses;
DROP INDEX IF EXISTS api_keys_created_index;
