"""The scenario of docs/clients.md, through the client that openapi-python-client makes."""

import os
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID, uuid4

from rapport_client import AuthenticatedClient, Client
from rapport_client.api.authentication import login
from rapport_client.api.changes import list_changes
from rapport_client.api.companies import create_company
from rapport_client.api.contacts import batch_contacts, create_contact, list_contacts, search_contacts, update_contact, upsert_contact
from rapport_client.api.leads import convert_lead, create_lead
from rapport_client.api.opportunities import move_opportunity, win_opportunity
from rapport_client.api.pipelines import list_pipelines
from rapport_client import models
from rapport_client.types import UNSET, Response

Answer = TypeVar("Answer")
steps = 0


def done(step: str) -> None:
    global steps
    steps += 1
    print(f"  {steps}. {step}")


def went_well(response: Response[Answer | models.Problem]) -> Answer:
    """The answer of a call that is to go well."""
    answer = response.parsed
    assert answer is not None and not isinstance(answer, models.Problem), response.content
    return answer


def problem(response: Response[Answer | models.Problem]) -> models.Problem:
    """The problem of a call that is to be refused."""
    assert isinstance(response.parsed, models.Problem), response.content
    return response.parsed


url = os.environ.get("RAPPORT_URL", "http://127.0.0.1:8080")
run = f"Run {uuid4().hex[:12]}"

credentials = models.Login(workspace="demo", email="mara@demo.example", password="rapport-demo-password")
session = went_well(login.sync_detailed(client=Client(base_url=url), body=credentials))
rapport = AuthenticatedClient(base_url=url, token=session.access_token)
done("signed in")

head = went_well(list_changes.sync_detailed(client=rapport, from_=models.FeedStart.HEAD)).next_cursor

company = went_well(create_company.sync_detailed(client=rapport, body=models.NewCompany(name=run)))
new_contact = models.NewContact(first_name="Ada", last_name=run, company_id=company.id)
made = create_contact.sync_detailed(client=rapport, body=new_contact)
contact = went_well(made)
assert made.status_code == 201 and contact.company_id == company.id
done("created a company and a contact")

named = models.TextNode(type_=models.TextNodeType.TEXT, field="last_name", op=models.TextOperator.EQ, value=run)
has_birthday = models.PresentNode(type_=models.PresentNodeType.PRESENT, field="birthday", value=True)
where = models.AllNode(
    type_=models.AllNodeType.ALL, nodes=[named, models.NotNode(type_=models.NotNodeType.NOT, node=has_birthday)]
)
search = models.ContactSearch(
    filter_=models.Filter(version=1, entity=models.Entity.CONTACT, where=where), expand=[models.ContactRelation.COMPANY]
)
found = went_well(search_contacts.sync_detailed(client=rapport, body=search)).data
assert [record.id for record in found] == [contact.id]
expanded = found[0].expanded
assert isinstance(expanded, models.ContactExpanded) and isinstance(expanded.company, models.Company)
assert expanded.company.name == run
done("found them with a filter tree")

ids: set[UUID] = set()
cursor: str | None = None
while True:
    page = went_well(list_contacts.sync_detailed(client=rapport, limit=2, cursor=cursor or UNSET))
    ids.update(record.id for record in page.data)
    cursor = page.next_cursor
    if cursor is None:
        break
assert contact.id in ids and len(ids) > 2
done("paged through a list")


def patch(job_title: str) -> Response[models.Contact | models.Problem]:
    body = models.ContactPatch(job_title=job_title)
    return update_contact.sync_detailed(contact.id, client=rapport, body=body, if_match=made.headers["etag"])


assert went_well(patch("Analyst")).job_title == "Analyst"
late = patch("Countess")
assert late.status_code == 412 and problem(late).code == "precondition_failed" and problem(late).current_version == 2
done("patched, and met a 412")

create = models.CreateContactOperationOp.CREATE
operations: list[
    models.CreateContactOperation
    | models.DeleteContactOperation
    | models.UpdateContactOperation
    | models.UpsertContactOperation
] = [
    models.CreateContactOperation(op=create, data=models.NewContact(last_name=run)),
    models.CreateContactOperation(op=create, data=models.NewContact()),
]
batch = models.ContactBatch(operations=operations)
good, bad = went_well(batch_contacts.sync_detailed(client=rapport, body=batch)).results
assert good.status == 201 and isinstance(bad.error, models.Problem) and bad.error.errors[0].pointer == "/data"
done("sent a batch with one bad item")


def upsert() -> models.ContactUpserted:
    body = models.ContactPatch(last_name=run, job_title="Customer")
    return went_well(upsert_contact.sync_detailed("shop", run.replace(" ", "-"), client=rapport, body=body))


assert [upsert().result.value, upsert().result.value] == ["created", "unchanged"]
done("upserted by external id, twice")

lead = went_well(create_lead.sync_detailed(client=rapport, body=models.NewLead(last_name=run, company_name=f"{run} Ltd")))
wanted = models.ConvertLead(opportunity=models.ConvertToOpportunity(values=models.OpportunityPatch(name=run)))
conversion = went_well(convert_lead.sync_detailed(lead.id, client=rapport, body=wanted))
done("converted a lead")

assert isinstance(conversion.opportunity_id, UUID)
opportunity_id: UUID = conversion.opportunity_id
stages = went_well(list_pipelines.sync_detailed(client=rapport)).data[0].stages
assert isinstance(stages, list)
open_stages = [stage.id for stage in stages if stage.class_ == models.StageClass.OPEN]


def move(stage_id: UUID) -> Response[models.Opportunity | models.Problem]:
    return move_opportunity.sync_detailed(opportunity_id, client=rapport, body=models.MoveOpportunity(stage_id=stage_id))


assert went_well(move(open_stages[1])).stage_id == open_stages[1]
went_well(win_opportunity.sync_detailed(opportunity_id, client=rapport, body=models.WinOpportunity()))
refused = move(open_stages[0])
assert refused.status_code == 409 and problem(refused).code == "invalid_transition"
done("moved an opportunity, and met a refused move")


def until(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes to hold within five seconds."""
    for _ in range(100):
        if condition():
            return True
        time.sleep(0.05)
    return False


def seen() -> bool:
    entries = went_well(list_changes.sync_detailed(client=rapport, cursor=head, limit=200)).data
    return {"contact.created", "opportunity.won"} <= {entry.event for entry in entries}


assert until(seen)
done("followed the change feed")

rehearsed = f"{run} Rehearsed"
went_well(create_contact.sync_detailed(client=rapport, body=models.NewContact(last_name=rehearsed), dry_run=True))
after = went_well(list_contacts.sync_detailed(client=rapport, q=rehearsed)).data
assert all(record.last_name != rehearsed for record in after)
done("rehearsed a write")

wrong = problem(create_contact.sync_detailed(client=rapport, body=models.NewContact(last_name=run, time_zone="Nowhere")))
assert wrong.code == "validation_failed" and wrong.errors[0].pointer == "/time_zone"
done("read a typed problem")
