import {
  batchContacts, convertLead, createCompany, createContact, createLead, listChanges, listContacts, listPipelines, login,
  moveOpportunity, searchContacts, updateContact, upsertContact, winOpportunity, type Filter,
} from "./generated";
import { client } from "./generated/client.gen";
import { credentials, done, expect, run, there, url } from "../typescript/scenario";

client.setConfig({ baseUrl: url });
const session = there((await login({ body: credentials })).data, "no session");
// One scheme alone, or the token would be sent as an API key, too.
client.setConfig({ baseUrl: url, auth: (scheme) => (scheme.scheme === "bearer" ? session.access_token : undefined) });
done("signed in");

const head = there((await listChanges({ query: { from: "head" } })).data, "no feed").next_cursor;

const company = there((await createCompany({ body: { name: run } })).data, "no company");
const made = await createContact({ body: { first_name: "Ada", last_name: run, company_id: company.id } });
const contact = there(made.data, "no contact");
expect(made.response?.status === 201 && contact.company_id === company.id, "the contact is not at the company");
done("created a company and a contact");

const filter: Filter = {
  version: 1,
  entity: "contact",
  where: { type: "all", nodes: [{ type: "text", field: "last_name", op: "eq", value: run }, { type: "not", node: { type: "present", field: "birthday", value: true } }] },
};
const found = there((await searchContacts({ body: { filter, expand: ["company"] } })).data, "no answer");
expect(found.data.length === 1 && found.data[0]?.expanded?.company?.name === run, "the filter found something else");
done("found them with a filter tree");

const ids = new Set<string>();
let cursor: string | undefined;
do {
  const page = there((await listContacts({ query: { limit: 2, ...(cursor ? { cursor } : {}) } })).data, "no page");
  page.data.forEach((record) => ids.add(record.id));
  cursor = page.next_cursor ?? undefined;
} while (cursor);
expect(ids.has(contact.id) && ids.size > 2, "the pages lack somebody");
done("paged through a list");

const etag = there(made.response?.headers.get("etag"), "no ETag");
const patch = (job_title: string) => updateContact({ path: { contact_id: contact.id }, headers: { "If-Match": etag }, body: { job_title } });
expect((await patch("Analyst")).data?.job_title === "Analyst", "the patch did not take");
const late = await patch("Countess");
expect(late.response?.status === 412 && late.error?.code === "precondition_failed" && late.error.current_version === 2, "no 412");
done("patched, and met a 412");

const operations = [{ op: "create" as const, data: { last_name: run } }, { op: "create" as const, data: {} }];
const batch = there((await batchContacts({ body: { operations } })).data, "no results");
expect(batch.results[0]?.status === 201 && batch.results[1]?.error?.errors[0]?.pointer === "/data", "the batch went otherwise");
done("sent a batch with one bad item");

const upsert = () => upsertContact({ path: { connection: "shop", external_id: run.replace(" ", "-") }, body: { last_name: run, job_title: "Customer" } });
expect((await upsert()).data?.result === "created" && (await upsert()).data?.result === "unchanged", "the upsert made two");
done("upserted by external id, twice");

const lead = there((await createLead({ body: { last_name: run, company_name: `${run} Ltd` } })).data, "no lead");
const conversion = there((await convertLead({ path: { lead_id: lead.id }, body: { opportunity: { values: { name: run } } } })).data, "no conversion");
done("converted a lead");

const opportunity_id = there(conversion.opportunity_id, "no opportunity");
const stages = there((await listPipelines()).data, "no pipelines").data[0]?.stages ?? [];
const open = stages.filter((stage) => stage.class === "open");
const move = (stage_id: string) => moveOpportunity({ path: { opportunity_id }, body: { stage_id } });
expect((await move(there(open[1], "no second stage").id)).data?.stage_id === open[1]?.id, "it did not move");
await winOpportunity({ path: { opportunity_id }, body: {} });
const refused = await move(there(open[0], "no first stage").id);
expect(refused.response?.status === 409 && refused.error?.code === "invalid_transition", "the move was not refused");
done("moved an opportunity, and met a refused move");

let names: string[] = [];
for (let tries = 0; tries < 100 && !names.includes("opportunity.won"); tries += 1) {
  const page = there((await listChanges({ query: { cursor: head, limit: 200 } })).data, "no changes");
  names = page.data.map((entry) => entry.event);
  if (!names.includes("opportunity.won")) await new Promise((resolve) => setTimeout(resolve, 50));
}
expect(names.includes("contact.created") && names.includes("opportunity.won"), "the feed lacks something");
done("followed the change feed");

const rehearsed = await createContact({ query: { dry_run: true }, body: { last_name: `${run} Rehearsed` } });
const after = there((await listContacts({ query: { q: `${run} Rehearsed` } })).data, "no list");
expect(rehearsed.response?.ok && !after.data.some((record) => record.last_name === `${run} Rehearsed`), "the rehearsal left something");
done("rehearsed a write");

const wrong = await createContact({ body: { last_name: run, birthday: "yesterday" } });
expect(wrong.error?.code === "validation_failed" && wrong.error.errors[0]?.pointer === "/birthday", "the problem does not say where");
done("read a typed problem");
