DELETE FROM custom_field_values USING custom_fields
 WHERE custom_fields.workspace_id = custom_field_values.workspace_id AND custom_fields.id = custom_field_values.field_id
   AND custom_fields.resource = 'opportunities';
DELETE FROM custom_fields WHERE resource = 'opportunities';
ALTER TABLE custom_fields DROP CONSTRAINT custom_fields_resource_check;
ALTER TABLE custom_fields ADD CONSTRAINT custom_fields_resource_check CHECK (resource IN ('contacts', 'companies', 'products'));
DROP TABLE opportunity_states;
DROP TABLE opportunities;
