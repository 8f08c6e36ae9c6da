\set lead random($low_lead, $high_lead)
BEGIN;
SELECT version, sort_name, match_keys[1] AS mail FROM leads
 WHERE workspace_id = '$workspace' AND id = ('01900000-0000-7000-8002-' || :lead)::uuid FOR UPDATE \gset
SELECT id FROM companies WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND sort_name = 'lead ' || :new;
SELECT id FROM contacts
 WHERE workspace_id = '$workspace' AND deleted_at IS NULL AND match_keys <> '{}'
   AND match_keys && ARRAY['email:' || 'ida' || :new || '@new.example'];
INSERT INTO companies (workspace_id, id, version, created_at, updated_at, source, tags, external_ids, name, lifecycle_stage, details,
                       match_keys, search, sort_name, custom, folded)
VALUES ('$workspace', ('01a00000-0000-7000-8001-' || :new)::uuid, 1, now(), now(), 'conversion', '{}', '[]', 'Lead ' || :new, 'prospect',
        '{}', '{}', ' lead ' || :new, 'lead ' || :new, '{}', jsonb_build_object('name', 'lead ' || :new));
$contact
RETURNING $columns;
INSERT INTO opportunities (workspace_id, id, version, created_at, updated_at, source, tags, external_ids, custom, name, company_id,
                           contact_ids, pipeline_id, stage_id, stage_class, stage_entered_at, probability, forecast_category, details,
                           search, sort_name, folded)
SELECT '$workspace', ('01a00000-0000-7000-8003-' || :new)::uuid, 1, now(), now(), 'conversion', '{}', '[]', '{}', 'Lead ' || :new,
       ('01a00000-0000-7000-8001-' || :new)::uuid, ARRAY[('01a00000-0000-7000-8000-' || :new)::uuid], pipeline_id, id, class, now(),
       probability, forecast_category, '{}', ' lead ' || :new, 'lead ' || :new, jsonb_build_object('name', 'lead ' || :new)
  FROM stages WHERE workspace_id = '$workspace' AND key = 'prospecting';
INSERT INTO opportunity_states (workspace_id, opportunity_id, version, valid_from, deleted, pipeline_id, stage_id, stage_class,
                                stage_entered_at, probability, forecast_category)
SELECT '$workspace', ('01a00000-0000-7000-8003-' || :new)::uuid, 1, now(), false, pipeline_id, id, class, now(), probability,
       forecast_category
  FROM stages WHERE workspace_id = '$workspace' AND key = 'prospecting';
UPDATE leads
   SET version = version + 1, updated_at = now(), status = 'converted', status_class = 'won', status_entered_at = now(),
       converted_contact_id = ('01a00000-0000-7000-8000-' || :new)::uuid,
       converted_company_id = ('01a00000-0000-7000-8001-' || :new)::uuid,
       converted_opportunity_id = ('01a00000-0000-7000-8003-' || :new)::uuid
 WHERE workspace_id = '$workspace' AND id = ('01900000-0000-7000-8002-' || :lead)::uuid;
INSERT INTO lead_status_history (workspace_id, lead_id, version, from_status, to_status, to_status_class, entered_at, actor_kind)
VALUES ('$workspace', ('01900000-0000-7000-8002-' || :lead)::uuid, :version + 1, 'new', 'converted', 'won', now(), 'api_key');
INSERT INTO lead_conversions (workspace_id, lead_id, version, converted_at, reverted_at, status, status_entered_at, details)
VALUES ('$workspace', ('01900000-0000-7000-8002-' || :lead)::uuid, :version + 1, now(), now(), 'new', now(), '{}');
INSERT INTO journal (workspace_id, id, event, record_kind, record_id, version, changes, actor_kind, request_id, at, is_audit)
SELECT '$workspace', (new.place || :new)::uuid, new.kind || new.verb, new.kind,
       (new.prefix || new.number)::uuid, 1, '["source", "conversion", "name", "Lead"]', 'api_key', 'request', now(), false
  FROM (VALUES ('01a00000-0000-7000-8109-', 'company', '.created', '01a00000-0000-7000-8001-', :new::bigint),
               ('01a00000-0000-7000-8209-', 'contact', '.created', '01a00000-0000-7000-8000-', :new::bigint),
               ('01a00000-0000-7000-8309-', 'opportunity', '.created', '01a00000-0000-7000-8003-', :new::bigint),
               ('01a00000-0000-7000-8409-', 'lead', '.converted', '01900000-0000-7000-8002-', :lead::bigint))
       AS new (place, kind, verb, prefix, number);
COMMIT;
