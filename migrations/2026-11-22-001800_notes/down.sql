DELETE FROM custom_field_values AS kept USING custom_fields AS field
 WHERE field.workspace_id = kept.workspace_id AND field.id = kept.field_id AND field.resource = 'notes';
DELETE FROM custom_fields WHERE resource = 'notes';
ALTER TABLE custom_fields
    DROP CONSTRAINT custom_fields_resource_check,
    ADD CONSTRAINT custom_fields_resource_check
        CHECK (resource IN ('contacts', 'companies', 'opportunities', 'products', 'leads', 'tasks'));
DROP TABLE notes;
