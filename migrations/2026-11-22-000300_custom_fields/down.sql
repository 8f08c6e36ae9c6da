UPDATE roles SET permissions = array_remove(array_remove(permissions, 'custom_fields:read'), 'custom_fields:write');
UPDATE api_keys SET scopes = array_remove(array_remove(scopes, 'custom_fields:read'), 'custom_fields:write')
 WHERE scopes IS NOT NULL;
DROP TABLE custom_field_values;
ALTER TABLE companies DROP COLUMN custom;
ALTER TABLE contacts DROP COLUMN custom;
DROP TABLE custom_fields;
