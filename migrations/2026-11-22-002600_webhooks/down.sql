UPDATE roles SET permissions = array_remove(array_remove(permissions, 'webhooks:read'), 'webhooks:write');
UPDATE api_keys SET scopes = array_remove(array_remove(scopes, 'webhooks:read'), 'webhooks:write') WHERE scopes IS NOT NULL;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_states;
DROP TABLE webhooks;
