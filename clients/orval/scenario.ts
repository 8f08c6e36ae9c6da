import {
  batchContacts, convertLead, createCompany, createContact, createLead, listChanges, listContacts, listPipelines, login,
  moveOpportunity, searchContacts, updateContact, upsertContact, winOpportunity, type Filter,
} from "./generated/rapport";
import { credentials, done, expect, run, there, url } from "../typescript/scenario";

// Its functions call `fetch` with the addresses of the document: the base comes from around it, as in a browser's page.
const fetched = globalThis.fetch;
globalThis.fetch = (address, init) => fetched(new URL(String(address), url), init);

const signedIn = await login(credentials);
expect(signedIn.status === 200, "no session");
const as = { headers: { Authorization: `Bearer ${signedIn.data.access_token}` } };
done("signed in");

const start = await listChanges({ from: "head" }, as);
expect(start.status === 200, "no feed");
const head = start.data.next_cursor;

const company = await createCompany({ name: run }, undefined, as);
expect(company.status === 201, "no company");
const contact = await createContact({ first_name: "Ada", last_name: run, company_id: company.data.id }, undefined, as);
expect(contact.status === 201 && contact.data.company_id === company.data.id, "the contact is not at the company");
done("created a company and a contact");

const filter: Filter = {
  version: 1,
  entity: "contact",
  where: { type: "all", nodes: [{ type: "text", field: "last_name", op: "eq", value: run }, { type: "not", node: { type: "present", field: "birthday", value: true } }] },
};
const found = await searchContacts({ filter, expand: ["company"] }, as);
expect(found.status === 200 && found.data.data.length === 1, "the filter found something else");
expect(found.data.data[0]?.expanded?.company?.name === run, "the company is not there");
done("found them with a filter tree");

const ids = new Set<string>();
let cursor: string | undefined;
do {
  const page = await listContacts({ limit: 2, ...(cursor ? { cursor } : {}) }, as);
  expect(page.status === 200, "no page");
  page.data.data.forEach((record) => ids.add(record.id));
  cursor = page.data.next_cursor ?? undefined;
} while (cursor);
expect(ids.has(contact.data.id) && ids.size > 2, "the pages lack somebody");
done("paged through a list");

const knowing = { headers: { ...as.headers, "If-Match": there(contact.headers.get("etag"), "no ETag") } };
const patched = await updateContact(contact.data.id, { job_title: "Analyst" }, undefined, knowing);
expect(patched.status === 200 && patched.data.job_title === "Analyst", "the patch did not take");
const late = await updateContact(contact.data.id, { job_title: "Countess" }, undefined, knowing);
expect(late.status === 412 && late.data.code === "precondition_failed" && late.data.current_version === 2, "no 412");
done("patched, and met a 412");

const batch = await batchContacts({ operations: [{ op: "create", data: { last_name: run } }, { op: "create", data: {} }] }, undefined, as);
expect(batch.status === 207, "no results");
expect(batch.data.results[0]?.status === 201 && batch.data.results[1]?.error?.errors[0]?.pointer === "/data", "the batch went otherwise");
done("sent a batch with one bad item");

const upsert = () => upsertContact("shop", run.replace(" ", "-"), { last_name: run, job_title: "Customer" }, undefined, as);
const [first, second] = [await upsert(), await upsert()];
expect(first.status === 201 && first.data.result === "created", "the first upsert did not create");
expect(second.status === 200 && second.data.result === "unchanged", "the second upsert changed something");
done("upserted by external id, twice");

const lead = await createLead({ last_name: run, company_name: `${run} Ltd` }, undefined, as);
expect(lead.status === 201, "no lead");
const conversion = await convertLead(lead.data.id, { opportunity: { values: { name: run } } }, undefined, as);
expect(conversion.status === 200, "no conversion");
done("converted a lead");

const opportunity = there(conversion.data.opportunity_id, "no opportunity");
const pipelines = await listPipelines(undefined, as);
expect(pipelines.status === 200, "no pipelines");
const open = (pipelines.data.data[0]?.stages ?? []).filter((stage) => stage.class === "open");
const move = (stage_id: string) => moveOpportunity(opportunity, { stage_id }, undefined, as);
const moved = await move(there(open[1], "no second stage").id);
expect(moved.status === 200 && moved.data.stage_id === open[1]?.id, "it did not move");
await winOpportunity(opportunity, {}, undefined, as);
const refused = await move(there(open[0], "no first stage").id);
expect(refused.status === 409 && refused.data.code === "invalid_transition", "the move was not refused");
done("moved an opportunity, and met a refused move");

let names: string[] = [];
for (let tries = 0; tries < 100 && !names.includes("opportunity.won"); tries += 1) {
  const page = await listChanges({ cursor: head, limit: 200 }, as);
  expect(page.status === 200, "no changes");
  names = page.data.data.map((entry) => entry.event);
  if (!names.includes("opportunity.won")) await new Promise((resolve) => setTimeout(resolve, 50));
}
expect(names.includes("contact.created") && names.includes("opportunity.won"), "the feed lacks something");
done("followed the change feed");

const rehearsed = await createContact({ last_name: `${run} Rehearsed` }, { dry_run: true }, as);
const after = await listContacts({ q: `${run} Rehearsed` }, as);
expect(rehearsed.status === 201 && after.status === 200, "no rehearsal");
expect(!after.data.data.some((record) => record.last_name === `${run} Rehearsed`), "the rehearsal left something");
done("rehearsed a write");

const wrong = await createContact({ last_name: run, birthday: "yesterday" }, undefined, as);
expect(wrong.status === 422 && wrong.data.code === "validation_failed" && wrong.data.errors[0]?.pointer === "/birthday", "the problem does not say where");
done("read a typed problem");
