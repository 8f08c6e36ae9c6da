"""What is measured: each operation as it is asked of Rapport, and as the statements that it needs."""

from dataclasses import dataclass

from data import Data
from load import Request

CONTACT = """workspace_id, id, version, created_at, updated_at, created_by, updated_by, deleted_at, owner_id, source, source_channel,
 tags, external_ids, first_name, last_name, job_title, company_id, birthday, locale, do_not_call, lifecycle_stage, details,
 match_keys, search, sort_name, country, latitude, longitude, team_id, custom, folded"""
ENTRY = "workspace_id, id, position, event, record_kind, record_id, version, changes, actor_kind, actor_id, request_id, at, is_audit"


@dataclass
class Operation:
    """An operation under load."""

    title: str
    request: Request
    status: int
    statements: str
    custom_plans: bool = False
    """Fewer connections than usual, where one request is much work."""
    connections: list[int] | None = None


@dataclass
class Report:
    """A report, asked by one caller at a time."""

    title: str
    path: str
    body: dict[str, object]
    statements: str


def operations(workspace: str, data: Data) -> dict[str, Operation]:
    """In the order in which they run: reads first, while the data are as they were made."""
    return {**reads(workspace, data), **writes(workspace, data)}


def reads(workspace: str, data: Data) -> dict[str, Operation]:
    def get(path: str, **more: object) -> Request:
        return Request("GET", path, records=data.contacts, **more)  # type: ignore[arg-type]

    one = "/v1/contacts/01900000-0000-7000-8000-$n"
    contacts = f"SELECT {CONTACT} FROM contacts WHERE workspace_id = '{workspace}' AND deleted_at IS NULL"
    found = f"{contacts} AND id = ('01900000-0000-7000-8000-' || :n)::uuid;"
    words = sample_words(data)
    listed = ", ".join(f"'{word}'" for word in words)
    owners = [f"01900000-0000-7000-8004-{100_000_000_000 + number}" for number in range(1, 21)]
    owner = ", ".join(f"'{id}'" for id in owners)
    related = '{"type":"related","relation":"company","count":{"op":"at_least","n":1},"where":{"type":"text","field":"domain","op":"eq","value":"$word.example"}}'
    domains = sample_words(data, 50_000_000)
    domain = ", ".join(f"'{word}.example'" for word in domains)
    return {
        "get": Operation("get", get(one), 200, found),
        "conditional": Operation(
            "conditional get (304)", get(one, headers={"If-None-Match": '"1"'}), 304,
            f"SELECT version FROM contacts WHERE workspace_id = '{workspace}' AND deleted_at IS NULL"
            " AND id = ('01900000-0000-7000-8000-' || :n)::uuid;",
        ),
        "list": Operation(
            "list 50 of one owner by name", get("/v1/contacts?owner_id=$word&sort=name&limit=50", words=owners), 200,
            f"\\set owner random(1, 20)\n{contacts} AND owner_id = (ARRAY[{owner}]::uuid[])[:owner] ORDER BY sort_name, id LIMIT 51;",
        ),
        "page": Operation(
            "deep page of 50 by name", get(f"/v1/contacts?sort=name&limit=50&cursor={data.page_cursor}"), 200,
            f"{contacts} AND (sort_name, id) > ('{data.page_key}', '{data.page_id}'::uuid) ORDER BY sort_name, id LIMIT 51;",
        ),
        "q": Operation(
            "search by a word (`q`)", get("/v1/contacts?q=$word&limit=50", words=words), 200,
            f"\\set word random(1, {len(words)})\n"
            f"{contacts} AND search LIKE '%' || (ARRAY[{listed}])[:word] || '%' ORDER BY id DESC LIMIT 51;",
            custom_plans=True,
        ),
        "search": Operation(
            "search by a filter tree with a relation",
            Request("POST", "/v1/contacts/search", records=data.contacts, words=domains, body=(
                '{"limit":50,"sort":"name","filter":{"version":1,"entity":"contact","where":{"type":"all","nodes":['
                '{"type":"choice","field":"country","op":"in","values":["DE","AT"]},' + related + "]}}}")), 200,
            f"\\set domain random(1, {len(domains)})\n"
            f"{contacts} AND country IN ('DE', 'AT') AND company_id IN (SELECT id FROM companies WHERE workspace_id = '{workspace}'"
            f" AND deleted_at IS NULL AND domain = (ARRAY[{domain}])[:domain]) ORDER BY sort_name, id LIMIT 51;",
            custom_plans=True,
        ),
        "feed": Operation(
            "page of 50 of the change feed", get(f"/v1/changes?limit=50&cursor={data.feed_cursor}"), 200,
            "SELECT id, position, event, record_kind, record_id, version, changes, actor_kind, actor_id, origin, request_id, at"
            f" FROM journal WHERE workspace_id = '{workspace}' AND position > {data.feed_position} ORDER BY position LIMIT 50;",
        ),
    }


def writes(workspace: str, data: Data) -> dict[str, Operation]:
    person = '{"first_name":"Ida","last_name":"Holm $n","job_title":"Buyer","emails":[{"address":"ida$n@new.example","type":"work"}]}'
    outer = '{"first_name":"Ole","last_name":"Berg $n","job_title":"Buyer"}'
    fields = '{"op":"create","data":' + person + "}"
    by_id = "/v1/contacts/by-external-id/bench/"
    make, entry = insert_contact(workspace), journal(workspace, "contact.created", "'01a00000-0000-7000-8000-' || :new")
    taken = (f"SELECT id, first_name, last_name, match_keys FROM contacts WHERE workspace_id = '{workspace}' AND deleted_at IS NULL"
             f" AND match_keys <> '{{}}' AND match_keys && ARRAY['email:' || 'ida' || :new || '@new.example'];")
    read = f"SELECT {CONTACT} FROM contacts WHERE workspace_id = '{workspace}' AND deleted_at IS NULL AND id = ('01900000-0000-7000-8000-' || :n)::uuid;"
    version = read.replace(CONTACT, "version").replace(";", " \\gset")
    change = update_contact(workspace)
    changed = journal(workspace, "contact.updated", "'01900000-0000-7000-8000-' || :n")
    lookup = (f"SELECT record_id, source_version FROM external_ids WHERE workspace_id = '{workspace}' AND connection = 'bench'"
              " AND record_kind = 'contact' AND external_id = 'K' || :{};")
    return {
        "create": Operation(
            "create", Request("POST", "/v1/contacts?on_duplicate=allow", person), 201, transaction(make, entry)),
        "checked": Operation(
            "create, unless somebody has the address", Request("POST", "/v1/contacts", person), 201, transaction(taken, make, entry)),
        "keyed": Operation(
            "create with an idempotency key", Request("POST", "/v1/contacts?on_duplicate=allow", person, key="bench-$n"), 201,
            transaction(
                "INSERT INTO idempotency_keys (workspace_id, actor_id, key, fingerprint, answer, created_at) VALUES"
                f" ('{workspace}', '{workspace}', 'bench-' || :new, decode(repeat('ab', 32), 'hex'), decode(repeat('ab', 800), 'hex'), now())"
                " ON CONFLICT DO NOTHING;", make, entry),
        ),
        "patch": Operation(
            "patch with If-Match",
            Request("PATCH", "/v1/contacts/01900000-0000-7000-8000-$n", '{"job_title":"Title $version"}', records=data.contacts, in_turn=True,
                    versions_of=f"SELECT version FROM contacts WHERE workspace_id = '{workspace}' AND id BETWEEN bench.id('0', 1) AND bench.id('0', {data.contacts}) ORDER BY id"),
            200, transaction(version, change, changed),
        ),
        "unchanged": Operation(
            "upsert, unchanged", Request("PUT", f"{by_id}K$n", '{"locale":"de-DE"}', records=data.contacts), 200,
            f"{lookup.format('n')}\n{read}",
        ),
        "changed": Operation(
            "upsert, changed", Request("PUT", f"{by_id}K$n", '{"job_title":"Title $word"}', records=data.contacts, words=[str(n) for n in range(100_000)]), 200,
            transaction(lookup.format("n"), version, change, changed),
        ),
        "created": Operation(
            "upsert, created", Request("PUT", f"{by_id}N$n", outer), 201,
            transaction(lookup.format("new"), make, "INSERT INTO external_ids (workspace_id, connection, record_kind, external_id, record_id) VALUES"
                        f" ('{workspace}', 'bench', 'contact', 'P' || :new, ('01a00000-0000-7000-8000-' || :new)::uuid);", entry),
        ),
        "convert": Operation(
            "conversion of a lead",
            Request("POST", "/v1/leads/01900000-0000-7000-8002-$n/convert", '{"opportunity":{}}', records=data.leads // 2, in_turn=True), 200,
            conversion(workspace, data),
        ),
        "batch": Operation(
            "batch of 1,000", Request("POST", "/v1/contacts/batch", '{"operations":[$items]}', item=fields, items=1000), 207,
            thousand(workspace), connections=[1, 16],
        ),
    }


def reports(workspace: str) -> dict[str, Report]:
    """The pipeline in several groupings, now and two days ago, and forecasts. `2 days ago` is filled in when asked."""
    groups = {"stage": "stage_id", "owner": "owner_id", "source": "lead_source"}
    made = {
        f"pipeline-{group}": Report(f"pipeline by {group}", "/v1/reports/pipeline", {"group_by": group, "currency": "EUR"},
                                    pipeline(workspace, column, ["valid_to IS NULL"]))
        for group, column in groups.items()
    }
    then = "now() - interval '2 days'"
    made["pipeline-then"] = Report(
        "pipeline by stage, two days ago", "/v1/reports/pipeline", {"group_by": "stage", "currency": "EUR", "as_of": "2 days ago"},
        pipeline(workspace, "stage_id", [f"valid_to IS NULL AND valid_from <= {then}", f"valid_to > {then} AND valid_from <= {then}"]))
    made |= {
        f"forecast-{months}": Report(f"forecast of {months} months", "/v1/reports/forecast", {"currency": "EUR", "months": months, "seed": 1},
                                     forecast(workspace, months))
        for months in (3, 12)
    }
    return made


def transaction(*statements: str) -> str:
    return "\n".join(["BEGIN;", *statements, "COMMIT;"])


def insert_contact(workspace: str) -> str:
    new = "('01a00000-0000-7000-8000-' || :new)::uuid"
    name = "'Ida Holm ' || :new"
    mail = "'ida' || :new || '@new.example'"
    return (
        f"INSERT INTO contacts ({CONTACT}) VALUES ('{workspace}', {new}, 1, now(), now(), '{workspace}', '{workspace}', NULL, NULL, 'api', NULL,"
        f" '{{}}', '[]', 'Ida', 'Holm ' || :new, 'Buyer', NULL, NULL, NULL, false, 'lead', ('{{\"name\": \"' || {name} || '\", \"emails\":"
        f" [{{\"type\": \"work\", \"address\": \"' || {mail} || '\", \"invalid\": false, \"opted_out\": false}}]}}')::jsonb, ARRAY['email:' || {mail}],"
        f" ' ida holm ' || :new || ' ' || {mail}, 'holm ' || :new || ' ida', NULL, NULL, NULL, NULL, '{{}}',"
        f" ('{{\"name\": \"ida holm ' || :new || '\", \"last_name\": \"holm ' || :new || '\", \"first_name\": \"ida\", \"job_title\": \"buyer\"}}')::jsonb)"
        f" RETURNING {CONTACT};"
    )


def journal(workspace: str, event: str, record: str) -> str:
    """The entry of a change. It has its place in the feed already, so that the server has no work with it."""
    changes = ('[{"field": "job_title", "from": "Buyer", "to": "Title"}]' if event.endswith("updated") else
               '["source", "api", "name", "Ida Holm", "first_name", "Ida", "last_name", "Holm", "job_title", "Buyer", "emails", '
               '[{"type": "work", "address": "ida@new.example", "invalid": false, "opted_out": false}], "do_not_call", false, "lifecycle_stage", "lead"]')
    return (f"INSERT INTO journal ({ENTRY}) VALUES ('{workspace}', ('01a00000-0000-7000-8009-' || :new)::uuid, nextval('bench.positions'), '{event}',"
            f" '{event.split('.')[0]}', ({record})::uuid, 1, '{changes}', 'api_key', '{workspace}', 'request', now(), false);")


def update_contact(workspace: str) -> str:
    return (f"UPDATE contacts SET version = version + 1, updated_at = now(), updated_by = '{workspace}', job_title = 'Title ' || :i,"
            " folded = jsonb_set(folded, '{job_title}', to_jsonb('title ' || :i))"
            f" WHERE workspace_id = '{workspace}' AND id = ('01900000-0000-7000-8000-' || :n)::uuid AND version = :version RETURNING {CONTACT};")


def thousand(workspace: str) -> str:
    """A thousand contacts and their entries, each in one statement."""
    rows = "generate_series(:new::bigint, :new::bigint + 999) AS n"
    contact = insert_contact(workspace).replace("VALUES (", "SELECT ").replace(f") RETURNING {CONTACT};", f" FROM {rows};")
    entry = journal(workspace, "contact.created", "'01a00000-0000-7000-8000-' || :new").replace("VALUES (", "SELECT ").replace(");", f" FROM {rows};")
    return transaction(*(part.replace(rows, "$rows").replace(":new", "n").replace("$rows", rows) for part in (contact, entry)))


def conversion(workspace: str, data: Data) -> str:
    """The second half of the leads is converted again and again: what that costs is the same each time."""
    lead = "('01900000-0000-7000-8002-' || :lead)::uuid"
    record = "('01a00000-0000-7000-800{}-' || :new)::uuid"
    low, high = 100_000_000_001 + data.leads // 2, 100_000_000_000 + data.leads
    here = f"workspace_id = '{workspace}'"
    stage = f"FROM stages WHERE {here} AND key = 'prospecting'"
    entries = ", ".join(
        f"('{workspace}', ('01a00000-0000-7000-80{place}9-' || :new)::uuid, nextval('bench.positions'), '{event}', '{event.split('.')[0]}', {of}, :version,"
        " '[\"source\", \"conversion\", \"name\", \"Lead\"]', 'api_key', NULL, 'request', now(), false)"
        for place, (event, of) in enumerate([("company.created", record.format(1)), ("contact.created", record.format(0)),
                                             ("opportunity.created", record.format(3)), ("lead.converted", lead)], 1))
    company = (
        "INSERT INTO companies (workspace_id, id, version, created_at, updated_at, source, tags, external_ids, name, lifecycle_stage, details,"
        f" match_keys, search, sort_name, custom, folded) VALUES ('{workspace}', {record.format(1)}, 1, now(), now(), 'conversion', '{{}}', '[]',"
        " 'Lead ' || :new, 'prospect', '{}', '{}', ' lead ' || :new, 'lead ' || :new, '{}', jsonb_build_object('name', 'lead ' || :new));")
    opportunity = (
        "INSERT INTO opportunities (workspace_id, id, version, created_at, updated_at, source, tags, external_ids, custom, name, company_id,"
        " contact_ids, pipeline_id, stage_id, stage_class, stage_entered_at, probability, forecast_category, details, search, sort_name, folded)"
        f" SELECT '{workspace}', {record.format(3)}, 1, now(), now(), 'conversion', '{{}}', '[]', '{{}}', 'Lead ' || :new, {record.format(1)},"
        f" ARRAY[{record.format(0)}], pipeline_id, id, class, now(), probability, forecast_category, '{{}}', ' lead ' || :new, 'lead ' || :new,"
        f" jsonb_build_object('name', 'lead ' || :new) {stage};")
    state = (
        "INSERT INTO opportunity_states (workspace_id, opportunity_id, version, valid_from, deleted, pipeline_id, stage_id, stage_class,"
        f" stage_entered_at, probability, forecast_category) SELECT '{workspace}', {record.format(3)}, 1, now(), false, pipeline_id, id, class, now(),"
        f" probability, forecast_category {stage};")
    return f"\\set lead random({low}, {high})\n" + transaction(
        f"SELECT version, sort_name, match_keys[1] AS mail FROM leads WHERE {here} AND id = {lead} FOR UPDATE \\gset",
        f"SELECT id FROM companies WHERE {here} AND deleted_at IS NULL AND sort_name = 'lead ' || :new;",
        f"SELECT id FROM contacts WHERE {here} AND deleted_at IS NULL AND match_keys <> '{{}}' AND match_keys && ARRAY['email:' || 'ida' || :new || '@new.example'];",
        company, insert_contact(workspace), opportunity, state,
        f"UPDATE leads SET version = version + 1, updated_at = now(), status = 'converted', status_class = 'won', status_entered_at = now(),"
        f" converted_contact_id = {record.format(0)}, converted_company_id = {record.format(1)}, converted_opportunity_id = {record.format(3)}"
        f" WHERE {here} AND id = {lead};",
        "INSERT INTO lead_status_history (workspace_id, lead_id, version, from_status, to_status, to_status_class, entered_at, actor_kind)"
        f" VALUES ('{workspace}', {lead}, :version + 1, 'new', 'converted', 'won', now(), 'api_key');",
        "INSERT INTO lead_conversions (workspace_id, lead_id, version, converted_at, reverted_at, status, status_entered_at, details)"
        f" VALUES ('{workspace}', {lead}, :version + 1, now(), now(), 'new', now(), '{{}}');",
        f"INSERT INTO journal ({ENTRY}) VALUES {entries};",
    )


def pipeline(workspace: str, column: str, times: list[str]) -> str:
    return " UNION ALL ".join(
        "SELECT key::text, currency, array_agg(day) FILTER (WHERE of_days), array_agg(count) FILTER (WHERE of_days), sum(count)::bigint,"
        " sum(count_with_amount)::bigint, coalesce(sum(amount), 0), coalesce(sum(amount) * probability, 0)"
        f" FROM (SELECT {column} AS key, currency, probability, date_bin('1 day', stage_entered_at, now()) AS day, grouping(currency) = 1 AS of_days,"
        " count(*) AS count, count(amount) AS count_with_amount, sum(amount) AS amount FROM opportunity_states"
        f" WHERE workspace_id = '{workspace}' AND {time} AND stage_class = 'open' AND NOT deleted"
        " GROUP BY GROUPING SETS ((1, 2, 3), (1, 4))) AS cell GROUP BY key, currency, probability, of_days" for time in times) + ";"


def forecast(workspace: str, months: int) -> str:
    """What is open, what was closed in the months before, how long and how likely stages were won, and the amounts to draw from."""
    here = f"workspace_id = '{workspace}' AND valid_to IS NULL AND NOT deleted"
    end, begin = f"(now() + interval '{months} months')::date", "date_trunc('month', now())"
    return (
        "SELECT date_trunc('month', close_date::timestamp), stage_id, forecast_category, currency, probability, date_bin('30 days', stage_entered_at, now()),"
        f" count(*), count(amount), sum(amount), var_pop(amount) FROM opportunity_states WHERE {here} AND stage_class = 'open'"
        f" AND (close_date IS NULL OR close_date < {end}) GROUP BY 1, 2, 3, 4, 5, 6;\n"
        f"SELECT date_trunc('month', closed_at), stage_class = 'won', currency, count(*), count(amount), sum(amount) FROM opportunity_states"
        f" WHERE {here} AND stage_class <> 'open' AND closed_at >= now() - interval '12 months' GROUP BY 1, 2, 3;\n"
        f"WITH closed AS MATERIALIZED (SELECT opportunity_id AS id, stage_class = 'won' AS won, closed_at FROM opportunity_states WHERE {here}"
        " AND stage_class <> 'open' AND closed_at >= now() - interval '12 months' ORDER BY closed_at DESC, opportunity_id LIMIT 2000),"
        " passed AS (SELECT closed.id, won, stage_id, floor(extract(epoch FROM closed.closed_at - max(state.stage_entered_at)) / 86400)::bigint AS days"
        f" FROM closed JOIN opportunity_states AS state ON state.workspace_id = '{workspace}' AND state.opportunity_id = closed.id"
        " AND state.stage_class = 'open' AND state.stage_entered_at <= closed.closed_at GROUP BY closed.id, won, closed.closed_at, stage_id)"
        " SELECT stage_id, won, array_agg(days) FILTER (WHERE won), count(*) FROM passed GROUP BY 1, 2;\n"
        "SELECT date_trunc('month', close_date::timestamp), stage_id, currency, date_bin('30 days', stage_entered_at, now()), array_agg(amount)"
        f" FROM opportunity_states WHERE {here} AND stage_class = 'open' AND forecast_category <> 'omitted' AND amount IS NOT NULL"
        f" AND close_date >= {begin}::date AND close_date < {end} GROUP BY 1, 2, 3, 4;"
    )


def sample_words(data: Data, first: int = 0) -> list[str]:
    """200 of the words that data.sql makes last names of, and from 50,000,001 on domains."""
    amount = data.contacts // 10
    step = amount // 200
    return [word(first + 1 + index * step) for index in range(200)]


def word(number: int) -> str:
    """As bench.word of data.sql."""
    mixed = (number + 1) * 48271 % 99_999_989
    parts = [mixed % 100, mixed // 100 % 100, mixed // 10_000 % 100, mixed // 1_000_000]
    return "".join("bcdfghjklmnpqrstvwxz"[part % 20] + "aeiou"[part // 20 % 5] for part in parts)
