UPDATE api_keys
   SET scopes = array_remove(array_remove(array_remove(array_remove(
                    scopes, 'products:read'), 'products:create'), 'products:write'), 'products:delete')
 WHERE scopes IS NOT NULL;
DELETE FROM record_shares WHERE record_kind = 'product';
DELETE FROM views WHERE resource = 'products';
DELETE FROM custom_field_values
 WHERE (workspace_id, field_id) IN (SELECT workspace_id, id FROM custom_fields WHERE resource = 'products');
DELETE FROM custom_fields WHERE resource = 'products';
ALTER TABLE custom_fields
    DROP CONSTRAINT custom_fields_resource_check,
    ADD CONSTRAINT custom_fields_resource_check CHECK (resource IN ('contacts', 'companies'));
DROP TABLE products;
