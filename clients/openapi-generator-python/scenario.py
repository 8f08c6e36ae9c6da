"""The scenario of docs/clients.md, through the client that OpenAPI Generator makes for Python."""

import os
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import rapport_client
from rapport_client import models

steps = 0


def done(step: str) -> None:
    global steps
    steps += 1
    print(f"  {steps}. {step}")


def problem(call: Callable[[], Any]) -> models.Problem:
    """The problem of a call that is to be refused."""
    try:
        call()
    except rapport_client.ApiException as error:
        assert isinstance(error.data, models.Problem), error.body
        return error.data
    raise AssertionError("the call went well")


url = os.environ.get("RAPPORT_URL", "http://127.0.0.1:8080")
run = f"Run {uuid4().hex[:12]}"

anonymous = rapport_client.ApiClient(rapport_client.Configuration(host=url))
credentials = models.Login(workspace="demo", email="mara@demo.example", password="rapport-demo-password")
session = rapport_client.AuthenticationApi(anonymous).login(credentials)
rapport = rapport_client.ApiClient(rapport_client.Configuration(host=url, access_token=session.access_token))
changes = rapport_client.ChangesApi(rapport)
companies = rapport_client.CompaniesApi(rapport)
contacts = rapport_client.ContactsApi(rapport)
leads = rapport_client.LeadsApi(rapport)
opportunities = rapport_client.OpportunitiesApi(rapport)
pipelines = rapport_client.PipelinesApi(rapport)
done("signed in")

head = changes.list_changes(var_from=models.FeedStart.HEAD).next_cursor

company = companies.create_company(models.NewCompany(name=run))
new_contact = models.NewContact(first_name="Ada", last_name=run, company_id=company.id)
made = contacts.create_contact_with_http_info(new_contact)
contact = made.data
assert made.status_code == 201 and made.headers is not None and contact.company_id == company.id
done("created a company and a contact")

named = models.TextNode(type="text", field="last_name", op=models.TextOperator.EQ, value=run)
has_birthday = models.PresentNode(type="present", field="birthday", value=True)
without = models.NotNode(type="not", node=models.Node(has_birthday))
where = models.Node(models.AllNode(type="all", nodes=[models.Node(named), models.Node(without)]))
search = models.ContactSearch(
    filter=models.Filter(version=1, entity=models.Entity.CONTACT, where=where), expand=[models.ContactRelation.COMPANY]
)
found = contacts.search_contacts(search).data
assert [record.id for record in found] == [contact.id]
assert found[0].expanded is not None and found[0].expanded.company is not None
assert found[0].expanded.company.name == run
done("found them with a filter tree")

ids: set[UUID] = set()
cursor: str | None = None
while True:
    page = contacts.list_contacts(limit=2, cursor=cursor)
    ids.update(record.id for record in page.data)
    cursor = page.next_cursor
    if cursor is None:
        break
assert contact.id in ids and len(ids) > 2
done("paged through a list")

# The headers of an answer are a plain dictionary with names in lower case.
etag = made.headers["etag"]


def patch(job_title: str) -> models.Contact:
    return contacts.update_contact(contact.id, models.ContactPatch(job_title=job_title), if_match=etag)


assert patch("Analyst").job_title == "Analyst"
late = problem(lambda: patch("Countess"))
assert late.status == 412 and late.code == "precondition_failed" and late.current_version == 2
done("patched, and met a 412")

good_one = models.CreateContactOperation(op="create", data=models.NewContact(last_name=run))
bad_one = models.CreateContactOperation(op="create", data=models.NewContact())
batch = models.ContactBatch(operations=[models.ContactOperation(good_one), models.ContactOperation(bad_one)])
good, bad = contacts.batch_contacts(batch).results
assert good.status == 201 and bad.error is not None and bad.error.errors[0].pointer == "/data"
done("sent a batch with one bad item")


def upsert() -> models.ContactUpserted:
    body = models.ContactPatch(last_name=run, job_title="Customer")
    return contacts.upsert_contact("shop", run.replace(" ", "-"), body)


assert [upsert().result, upsert().result] == ["created", "unchanged"]
done("upserted by external id, twice")

lead = leads.create_lead(models.NewLead(last_name=run, company_name=f"{run} Ltd"))
wanted = models.ConvertLead(opportunity=models.ConvertToOpportunity(values=models.OpportunityPatch(name=run)))
conversion = leads.convert_lead(lead.id, wanted)
done("converted a lead")

assert conversion.opportunity_id is not None
opportunity_id: UUID = conversion.opportunity_id
stages = pipelines.list_pipelines().data[0].stages or []
open_stages = [stage.id for stage in stages if stage.var_class == models.StageClass.OPEN]


def move(stage_id: UUID) -> models.Opportunity:
    return opportunities.move_opportunity(opportunity_id, models.MoveOpportunity(stage_id=stage_id))


assert move(open_stages[1]).stage_id == open_stages[1]
opportunities.win_opportunity(opportunity_id, models.WinOpportunity())
refused = problem(lambda: move(open_stages[0]))
assert refused.status == 409 and refused.code == "invalid_transition"
done("moved an opportunity, and met a refused move")


def until(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes to hold within five seconds."""
    for _ in range(100):
        if condition():
            return True
        time.sleep(0.05)
    return False


def seen() -> bool:
    entries = changes.list_changes(cursor=head, limit=200).data
    return {"contact.created", "opportunity.won"} <= {entry.event for entry in entries}


assert until(seen)
done("followed the change feed")

rehearsed = f"{run} Rehearsed"
contacts.create_contact(models.NewContact(last_name=rehearsed), dry_run=True)
assert all(record.last_name != rehearsed for record in contacts.list_contacts(q=rehearsed).data)
done("rehearsed a write")

wrong = problem(lambda: contacts.create_contact(models.NewContact(last_name=run, time_zone="Nowhere")))
assert wrong.code == "validation_failed" and wrong.errors[0].pointer == "/time_zone"
done("read a typed problem")
