DELETE FROM custom_field_values WHERE field_id IN (SELECT id FROM custom_fields WHERE resource = 'tasks');
DELETE FROM custom_fields WHERE resource = 'tasks';
ALTER TABLE custom_fields
    DROP CONSTRAINT custom_fields_resource_check,
    ADD CONSTRAINT custom_fields_resource_check
        CHECK (resource IN ('contacts', 'companies', 'opportunities', 'products', 'leads'));
DROP TABLE tasks;
