UPDATE roles SET permissions = array_remove(permissions, 'sales_settings:write');
UPDATE api_keys SET scopes = array_remove(scopes, 'sales_settings:write') WHERE scopes IS NOT NULL;
DROP TABLE lost_reasons;
