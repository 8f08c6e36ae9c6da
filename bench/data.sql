-- The data of a run: the same rows for the same numbers. psql sets workspace, contacts, opportunities and leads.
--
-- The id of a record is a prefix of its kind and a number of twelve digits, so that both load generators can name any
-- record by a number: 100000000001 is the first. Derived columns hold what the server would have written.
\set ON_ERROR_STOP on
\set QUIET on
SET synchronous_commit = off;
SET client_min_messages = warning;

CREATE SCHEMA bench;

-- Words of four syllables, of which no two numbers share one.
CREATE FUNCTION bench.syllable(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT substr('bcdfghjklmnpqrstvwxz', (n % 20)::int + 1, 1) || substr('aeiou', (n / 20 % 5)::int + 1, 1) $$;
CREATE FUNCTION bench.word(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT bench.syllable(m % 100) || bench.syllable(m / 100 % 100) || bench.syllable(m / 10000 % 100)
           || bench.syllable(m / 1000000) FROM (SELECT (n + 1) * 48271 % 99999989 AS m) AS mixed $$;
CREATE FUNCTION bench.id(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('01900000-0000-7000-800' || kind || '-' || 100000000000 + n)::uuid $$;

-- One of as many, by chance that is the same each time: what is chosen by the remainder of n goes along with names.
CREATE FUNCTION bench.pick(n bigint, salt bigint, most int) RETURNS int LANGUAGE sql IMMUTABLE AS
    $$ SELECT ((hashint8extended(n, salt) & 1073741823) % most)::int + 1 $$;

-- Indexes are taken away and made anew in the end, which takes a tenth of the time.
CREATE TABLE bench.indexes AS
    SELECT indexrelid::regclass AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
     WHERE indrelid::regclass::text IN ('companies', 'contacts', 'journal', 'opportunities', 'opportunity_states', 'leads', 'external_ids',
                                         'feed_positions')
       AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid);
SELECT 'DROP INDEX ' || name FROM bench.indexes \gexec

INSERT INTO users (workspace_id, id, email, name, created_at, version, updated_at, state)
SELECT :'workspace', bench.id('4', n), 'user' || n || '@bench.example', 'User ' || n, now(), 1, now(), 'active'
  FROM generate_series(1, 20) AS n;

INSERT INTO connections (workspace_id, id, version, created_at, updated_at, key, name, kind, direction, status, settings)
VALUES (:'workspace', bench.id('5', 1), 1, now(), now(), 'bench', 'Bench', 'custom', 'both', 'active', '{}');

INSERT INTO companies (workspace_id, id, version, created_at, updated_at, owner_id, source, tags, external_ids, name, domain, kind,
                       industry, lifecycle_stage, details, match_keys, search, sort_name, custom, folded)
SELECT :'workspace', bench.id('1', n), 1, at, at, bench.id('4', bench.pick(n, 1, 20)), 'api', '{}', '[]',
       initcap(word) || ' GmbH', word || '.example', 'customer', 'Industry ' || n % 100, 'customer', '{}', '{}',
       ' ' || word || ' gmbh ' || word || '.example', word || ' gmbh', '{}',
       jsonb_build_object('name', word || ' gmbh', 'industry', 'industry ' || n % 100)
  FROM (SELECT n, bench.word(n + 50000000) AS word, now() - interval '400 days' + n * interval '1 second' AS at
          FROM generate_series(1, :contacts / 10) AS n) AS new;

-- Ten have the same last name, and ten work for the same company, however many there are.
INSERT INTO contacts (workspace_id, id, version, created_at, updated_at, owner_id, source, tags, external_ids, first_name, last_name,
                      job_title, company_id, locale, do_not_call, lifecycle_stage, details, match_keys, search, sort_name,
                      country, custom, folded)
SELECT :'workspace', bench.id('0', n), 1, at, at, bench.id('4', bench.pick(n, 1, 20)), 'api', ARRAY['tag' || bench.pick(n, 6, 50)],
       jsonb_build_array(jsonb_build_object('connection', 'bench', 'external_id', 'K' || 100000000000 + n)),
       initcap(first), initcap(last), 'Buyer', bench.id('1', n / 10 % (:contacts / 10) + 1), 'de-DE', false,
       (ARRAY['lead', 'prospect', 'customer', 'former_customer'])[bench.pick(n, 3, 4)],
       jsonb_build_object('name', initcap(first) || ' ' || initcap(last),
           'emails', jsonb_build_array(jsonb_build_object('address', mail, 'type', 'work', 'invalid', false, 'opted_out', false)),
           'addresses', jsonb_build_array(jsonb_build_object('type', 'visiting', 'street', 'Street ' || n % 100, 'city', 'Berlin',
               'region', NULL, 'postal_code', '10119', 'country', country, 'latitude', NULL, 'longitude', NULL))),
       ARRAY['email:' || mail], ' ' || first || ' ' || last || ' ' || mail, last || ' ' || first, country, '{}',
       jsonb_build_object('name', first || ' ' || last, 'first_name', first, 'last_name', last, 'job_title', 'buyer',
                          'city', 'berlin', 'street', 'street ' || n % 100)
  FROM (SELECT n, first, last, first || '.' || last || n || '@bench.example' AS mail,
               (ARRAY['DE', 'AT', 'CH', 'FR', 'IT'])[bench.pick(n, 2, 5)] AS country,
               now() - interval '300 days' + n * interval '1 second' AS at
          FROM (SELECT n, bench.word(n % (:contacts / 10)) AS last,
                       (ARRAY['anna', 'ben', 'clara', 'david', 'eva', 'felix', 'greta', 'hans', 'ida', 'jan'])[n / 7 % 10 + 1] AS first
                  FROM generate_series(1, :contacts) AS n) AS named) AS new;

INSERT INTO external_ids (workspace_id, connection, record_kind, external_id, record_id)
SELECT :'workspace', 'bench', 'contact', 'K' || 100000000000 + n, bench.id('0', n) FROM generate_series(1, :contacts) AS n;

INSERT INTO journal (workspace_id, id, event, record_kind, record_id, version, changes, actor_kind, at, is_audit)
SELECT workspace_id, id, 'contact.created', 'contact', id, 1,
       jsonb_build_array('source', source, 'tags', tags, 'name', details->'name', 'first_name', first_name, 'last_name', last_name,
                         'emails', details->'emails', 'addresses', details->'addresses', 'lifecycle_stage', lifecycle_stage),
       'system', created_at, false
  FROM contacts WHERE workspace_id = :'workspace';
INSERT INTO feed_positions (workspace_id, entry_id, position)
SELECT workspace_id, id,
       coalesce((SELECT position FROM feed_heads WHERE workspace_id = :'workspace'), 0) + row_number() OVER (ORDER BY id)
  FROM contacts WHERE workspace_id = :'workspace';
INSERT INTO feed_heads (workspace_id, position) SELECT workspace_id, max(position) FROM feed_positions GROUP BY workspace_id
    ON CONFLICT (workspace_id) DO UPDATE SET position = excluded.position;

INSERT INTO leads (workspace_id, id, version, created_at, updated_at, owner_id, tags, external_ids, status, status_class,
                   status_entered_at, custom, details, match_keys, search, sort_name, folded)
SELECT :'workspace', bench.id('2', n), 1, at, at, bench.id('4', bench.pick(n, 1, 20)), '{}', '[]', 'new', 'open', at, '{}',
       jsonb_build_object('name', 'Lea ' || initcap(last), 'first_name', 'Lea', 'last_name', initcap(last), 'company_name', 'Lead ' || last,
           'emails', jsonb_build_array(jsonb_build_object('address', mail, 'type', 'work', 'invalid', false, 'opted_out', false)),
           'source', 'api', 'recycled_count', 0),
       ARRAY['email:' || mail], ' lea lead ' || last || ' ' || mail, last || ' lea',
       jsonb_build_object('name', 'lea ' || last, 'first_name', 'lea', 'last_name', last, 'company_name', 'lead ' || last)
  FROM (SELECT n, last, last || '@leads.example' AS mail, now() - interval '30 days' + n * interval '1 second' AS at
          FROM (SELECT n, bench.word(n + 70000000) AS last FROM generate_series(1, :leads) AS n) AS named) AS new;
INSERT INTO lead_status_history (workspace_id, lead_id, version, to_status, to_status_class, entered_at, actor_kind)
SELECT workspace_id, id, 1, status, status_class, created_at, 'system' FROM leads WHERE workspace_id = :'workspace';

-- One of eleven is closed; one of three that are open has moved before, and each that is closed was open before.
CREATE TEMP TABLE new AS
SELECT n, bench.id('3', n) AS id, n % 11 = 0 AS is_closed, n % 3 = 0 OR n % 11 = 0 AS has_moved,
       now() - (n % 330) * interval '1 day' - n % 1000 * interval '1 minute' - interval '40 days' AS created_at,
       now() - (n % 330) * interval '1 day' - n % 1000 * interval '1 minute' AS moved_at,
       (100 + n * 7919 % 90000)::numeric(19, 4) AS amount,
       (now() + (n % 365 - 30) * interval '1 day')::date AS close_date,
       (ARRAY['website', 'referral', 'trade_show', 'campaign', 'partner', 'cold_call'])[bench.pick(n, 4, 6)] AS lead_source,
       bench.id('4', bench.pick(n, 1, 20)) AS owner_id,
       CASE WHEN n % 11 <> 0 THEN (ARRAY['prospecting', 'qualification', 'proposal', 'negotiation'])[bench.pick(n, 5, 4)]
            WHEN n % 22 = 0 THEN 'won' ELSE 'lost' END AS stage
  FROM generate_series(1, :opportunities) AS n;
CREATE TEMP TABLE reason AS SELECT id FROM lost_reasons WHERE workspace_id = :'workspace' ORDER BY position LIMIT 1;

INSERT INTO opportunities (workspace_id, id, version, created_at, updated_at, owner_id, source, tags, external_ids, custom, name,
                           company_id, contact_ids, pipeline_id, stage_id, stage_class, stage_entered_at, probability,
                           forecast_category, amount, currency, close_date, closed_at, lost_reason_id, details, search, sort_name, folded)
SELECT :'workspace', new.id, CASE WHEN has_moved THEN 2 ELSE 1 END, created_at, coalesce(moved, created_at), owner_id, 'api', '{}', '[]',
       '{}', 'Opportunity ' || n, bench.id('1', n % (:contacts / 10) + 1), '{}', pipeline_id, stages.id, class,
       coalesce(moved, created_at), probability, forecast_category, amount, 'EUR', close_date,
       CASE WHEN is_closed THEN moved END, CASE WHEN class = 'lost' THEN (SELECT id FROM reason) END,
       jsonb_build_object('lead_source', lead_source, 'amount_source', 'manual'), ' opportunity ' || n, 'opportunity ' || n,
       jsonb_build_object('name', 'opportunity ' || n)
  FROM (SELECT *, CASE WHEN has_moved THEN moved_at END AS moved FROM new) AS new
  JOIN stages ON stages.workspace_id = :'workspace' AND stages.key = new.stage;

INSERT INTO opportunity_states (workspace_id, opportunity_id, version, valid_from, valid_to, deleted, pipeline_id, stage_id, stage_class,
                                stage_entered_at, probability, forecast_category, amount, currency, close_date, closed_at, owner_id,
                                lead_source, lost_reason_id)
SELECT workspace_id, opportunities.id, opportunities.version, stage_entered_at, NULL, false, pipeline_id, stage_id, stage_class,
       stage_entered_at, probability, forecast_category, opportunities.amount, currency, opportunities.close_date, closed_at,
       opportunities.owner_id, new.lead_source, lost_reason_id
  FROM opportunities JOIN new USING (id) WHERE workspace_id = :'workspace'
UNION ALL
SELECT workspace_id, new.id, 1, created_at, moved_at, false, pipeline_id, stages.id, class, created_at, probability,
       forecast_category, amount, 'EUR', close_date, NULL, owner_id, lead_source, NULL
  FROM new JOIN stages ON stages.workspace_id = :'workspace'
   AND stages.key = (ARRAY['prospecting', 'qualification', 'proposal', 'negotiation'])[bench.pick(n, 5, 4)]
 WHERE has_moved;

SELECT definition FROM bench.indexes \gexec
VACUUM (ANALYZE);
CHECKPOINT;
