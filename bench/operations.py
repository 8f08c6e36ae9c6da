"""What is measured: each operation as it is asked of Rapport. The statements that it needs are in bench/statements, by its name."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

from data import FIRST, Data
from load import Request

COLUMNS = (
    "workspace_id, id, version, created_at, updated_at, created_by, updated_by, deleted_at, owner_id, source, source_channel, tags,"
    " external_ids, first_name, last_name, job_title, company_id, birthday, locale, do_not_call, lifecycle_stage, details, match_keys,"
    " search, sort_name, country, latitude, longitude, team_id, custom, folded"
)
PLANNED = "-c plan_cache_mode=force_custom_plan -c work_mem=128MB"
"""Statements are planned for their values."""
KEPT = "-c plan_cache_mode=force_generic_plan"
"""One plan of a statement serves all values."""
THOUSAND = "FROM generate_series(:new::bigint, :new::bigint + 999) AS n"


@dataclass
class Operation:
    """An operation under load, with the status that it has to answer."""

    title: str
    request: Request
    status: int = 200
    settings: str = ""
    """What the connections of pgbench are set to, as the server has it there."""
    connections: list[int] = field(default_factory=list)
    """Other numbers of connections than usual, where one request is much work."""
    least_seconds: int = 1
    """How long a round has to be at least, so that enough requests end in it."""


@dataclass
class Report:
    """A report, asked by one caller at a time. `2 days ago` in its body is filled in when it is asked."""

    title: str
    path: str
    body: dict[str, object]


def operations(workspace: str, data: Data) -> dict[str, Operation]:
    """In the order in which they run: reads first, while the data are as they were made."""
    return {**reads(data), **writes(workspace, data)}


def reads(data: Data) -> dict[str, Operation]:
    def get(path: str, headers: dict[str, str] | None = None, words: list[str] | None = None) -> Request:
        return Request("GET", path, headers=headers or {}, records=data.contacts, words=words)

    contact = "/v1/contacts/01900000-0000-7000-8000-$n"
    tree = (
        '{"limit":50,"sort":"name","filter":{"version":1,"entity":"contact","where":{"type":"all","nodes":['
        '{"type":"choice","field":"country","op":"in","values":["DE","AT"]},'
        '{"type":"related","relation":"company","count":{"op":"at_least","n":1},"where":'
        '{"type":"text","field":"domain","op":"eq","value":"$word.example"}}]}}}'
    )
    return {
        "get": Operation("get", get(contact)),
        "conditional": Operation("conditional get", get(contact, {"If-None-Match": '"1"'}), 304),
        "list": Operation("list 50 of an owner by name", get("/v1/contacts?owner_id=$word&sort=name&limit=50", words=owners())),
        "page": Operation("deep page of 50 by name", get(f"/v1/contacts?sort=name&limit=50&cursor={data.page_cursor}")),
        "q": Operation("search by a word", get("/v1/contacts?q=$word&limit=50", words=names(data)), settings=KEPT),
        "search": Operation(
            "search by a filter tree with a relation",
            Request("POST", "/v1/contacts/search", tree, records=data.contacts, words=domains(data)), settings=PLANNED),
        "feed": Operation("page of 50 of the change feed", get(f"/v1/changes?limit=50&cursor={data.feed_cursor}")),
    }


def writes(workspace: str, data: Data) -> dict[str, Operation]:
    person = '{"first_name":"Ida","last_name":"Holm $n","job_title":"Buyer","emails":[{"address":"ida$n@new.example","type":"work"}]}'
    allowed = "/v1/contacts?on_duplicate=allow"
    known = "/v1/contacts/by-external-id/bench/K$n"
    versions = (
        f"SELECT version FROM contacts WHERE workspace_id = '{workspace}'"
        f" AND id BETWEEN bench.id('0', 1) AND bench.id('0', {data.contacts}) ORDER BY id"
    )
    patch = Request("PATCH", "/v1/contacts/01900000-0000-7000-8000-$n", '{"job_title":"Title $version"}', {"If-Match": '"$version"'},
                    records=data.contacts, in_turn=True, versions_of=versions)
    change = Request("PUT", known, '{"job_title":"Title $word"}', records=data.contacts, words=[str(n) for n in range(100_000)])
    convert = Request("POST", "/v1/leads/01900000-0000-7000-8002-$n/convert", '{"opportunity":{}}', records=data.leads // 2, in_turn=True)
    batch = Request("POST", "/v1/contacts/batch", '{"operations":[$items]}', item='{"op":"create","data":' + person + "}", items=1000)
    return {
        "create": Operation("create", Request("POST", allowed, person), 201),
        "checked": Operation("create, unless somebody has the address", Request("POST", "/v1/contacts", person), 201),
        "keyed": Operation("create with an idempotency key", Request("POST", allowed, person, {"Idempotency-Key": "bench-$n"}), 201),
        "patch": Operation("patch with If-Match", patch),
        "unchanged": Operation("upsert, unchanged", Request("PUT", known, '{"locale":"de-DE"}', records=data.contacts)),
        "changed": Operation("upsert, changed", change),
        "created": Operation("upsert, created", Request("PUT", known.replace("K", "N"), person), 201),
        "convert": Operation("conversion of a lead", convert),
        "batch": Operation("batch of 1,000", batch, 207, connections=[1, 4], least_seconds=5),
    }


def reports() -> dict[str, Report]:
    pipeline, forecast = "/v1/reports/pipeline", "/v1/reports/forecast"
    euro = {"currency": "EUR"}
    return {
        "pipeline-stage": Report("pipeline by stage", pipeline, {**euro, "group_by": "stage"}),
        "pipeline-owner": Report("pipeline by owner", pipeline, {**euro, "group_by": "owner"}),
        "pipeline-source": Report("pipeline by source", pipeline, {**euro, "group_by": "source"}),
        "pipeline-then": Report("pipeline by stage, two days ago", pipeline, {**euro, "group_by": "stage", "as_of": "2 days ago"}),
        "forecast-3": Report("forecast of 3 months", forecast, {**euro, "months": 3, "seed": 1}),
        "forecast-12": Report("forecast of 12 months", forecast, {**euro, "months": 12, "seed": 1}),
    }


def statements(name: str, workspace: str, data: Data) -> str:
    """The statements of an operation or a report, for pgbench. Reports have times written out: `now()` is asked for each row."""
    now = datetime.now(UTC)
    groups = {"pipeline-stage": "stage_id", "pipeline-owner": "owner_id", "pipeline-source": "lead_source", "pipeline-then": "stage_id"}
    if name in groups:
        then = f"'{now - timedelta(days=2)}'"
        times = [f"valid_to IS NULL AND valid_from <= {then}", f"valid_to > {then} AND valid_from <= {then}"]
        parts = [written("part-pipeline", workspace=workspace, group=groups[name], time=time, now=str(now))
                 for time in (times if name == "pipeline-then" else ["valid_to IS NULL"])]
        return "\nUNION ALL\n".join(parts) + ";"
    if name.startswith("forecast-"):
        end, year_ago = now + timedelta(days=30 * int(name.split("-")[1])), now - timedelta(days=365)
        moments = {"now": str(now), "month": f"{now:%Y-%m-01}", "end": f"{end:%Y-%m-%d}", "year_ago": str(year_ago)}
        return written("forecast", workspace=workspace, **moments)
    common = {"workspace": workspace, "columns": COLUMNS}
    one, many = ({part: written(f"part-{part}", **common, number=number) for part in ("contact", "created")} for number in (":new", "n"))
    return written(
        name, **common, **one, contacts=f"{many['contact']}\n{THOUSAND}", entries=f"{many['created']}\n{THOUSAND}", thousand=THOUSAND,
        change=written("part-change", **common), lookup=written("part-lookup", **common), get=written("get", **common),
        owners=quoted(owners()), names=quoted(names(data)), mark=mark(workspace), domains=quoted(domains(data)), page_key=data.page_key, page_id=data.page_id,
        feed_position=str(data.feed_position), low_lead=str(FIRST + data.leads // 2), high_lead=str(FIRST + data.leads - 1),
    )


def written(name: str, **values: str) -> str:
    """A file of statements with its places filled in."""
    return Template((Path(__file__).parent / "statements" / f"{name}.sql").read_text().rstrip()).substitute(values)


def quoted(words: list[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def mark(workspace: str) -> str:
    """What the words of a workspace begin with in the index, as words_of has it."""
    return workspace[-8:].translate(str.maketrans("0123456789", "ghijklmnop"))


def owners() -> list[str]:
    return [f"01900000-0000-7000-8004-{FIRST + number}" for number in range(20)]


def names(data: Data) -> list[str]:
    """200 of the last names."""
    return [word(1 + index * (data.contacts // 2000)) for index in range(200)]


def domains(data: Data) -> list[str]:
    """200 of the domains of companies, without their ends."""
    return [word(50_000_001 + index * (data.contacts // 2000)) for index in range(200)]


def word(number: int) -> str:
    """As bench.word of data.sql."""
    mixed = (number + 1) * 48271 % 99_999_989
    parts = [mixed % 100, mixed // 100 % 100, mixed // 10_000 % 100, mixed // 1_000_000]
    return "".join("bcdfghjklmnpqrstvwxz"[part % 20] + "aeiou"[part // 20 % 5] for part in parts)
