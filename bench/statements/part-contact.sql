INSERT INTO contacts
       ($columns)
SELECT '$workspace', ('01a00000-0000-7000-8000-' || $number)::uuid, 1, now(), now(), '$workspace', '$workspace', NULL, NULL, 'api', NULL,
       '{}', '[]', 'Ida', 'Holm ' || $number, 'Buyer', NULL, NULL, NULL, false, 'lead',
       ('{"name": "Ida Holm ' || $number || '", "emails": [{"type": "work", "address": "ida' || $number || '@new.example",'
        ' "invalid": false, "opted_out": false}]}')::jsonb,
       ARRAY['email:' || 'ida' || $number || '@new.example'], ' ida holm ' || $number || ' ida' || $number || '@new.example',
       'holm ' || $number || ' ida', NULL, NULL, NULL, NULL, '{}',
       ('{"name": "ida holm ' || $number || '", "last_name": "holm ' || $number || '", "first_name": "ida", "job_title": "buyer"}')::jsonb
