INSERT INTO journal (workspace_id, id, event, record_kind, record_id, version, changes, actor_kind, actor_id, request_id, at,
                     is_audit)
SELECT '$workspace', ('01a00000-0000-7000-8009-' || $number)::uuid, 'contact.created', 'contact',
       ('01a00000-0000-7000-8000-' || $number)::uuid, 1,
       '["source", "api", "name", "Ida Holm", "first_name", "Ida", "last_name", "Holm", "job_title", "Buyer", "emails",
         [{"type": "work", "address": "ida@new.example", "invalid": false, "opted_out": false}], "do_not_call", false,
         "lifecycle_stage", "lead"]',
       'api_key', '$workspace', 'request', now(), false
