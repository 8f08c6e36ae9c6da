import {
  AuthenticationApi, ChangesApi, CompaniesApi, Configuration, ContactsApi, LeadsApi, OpportunitiesApi, PipelinesApi, ResponseError,
  ProblemFromJSON, type Filter, type Problem,
} from "./generated";
import { credentials, done, expect, run, there, url } from "../typescript/scenario";

/** The problem that a call ends in. */
async function problem(call: Promise<unknown>): Promise<{ status: number; problem: Problem }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ResponseError) return { status: error.response.status, problem: ProblemFromJSON(await error.response.json()) };
    throw error;
  }
  throw new Error("the call went well");
}

const session = await new AuthenticationApi(new Configuration({ basePath: url })).login({ login: credentials });
// As a header: named as `accessToken`, it would be sent as an API key, too.
const configuration = new Configuration({ basePath: url, headers: { Authorization: `Bearer ${session.accessToken}` } });
const [changes, companies, contacts] = [new ChangesApi(configuration), new CompaniesApi(configuration), new ContactsApi(configuration)];
const [leads, opportunities, pipelines] = [new LeadsApi(configuration), new OpportunitiesApi(configuration), new PipelinesApi(configuration)];
done("signed in");

const head = (await changes.listChanges({ from: "head" })).nextCursor;

const company = await companies.createCompany({ newCompany: { name: run } });
const made = await contacts.createContactRaw({ newContact: { firstName: "Ada", lastName: run, companyId: company.id } });
const contact = await made.value();
expect(made.raw.status === 201 && contact.companyId === company.id, "the contact is not at the company");
done("created a company and a contact");

const filter: Filter = {
  version: 1,
  entity: "contact",
  where: { type: "all", nodes: [{ type: "text", field: "last_name", op: "eq", value: run }, { type: "not", node: { type: "present", field: "birthday", value: true } }] },
};
const found = await contacts.searchContacts({ contactSearch: { filter, expand: ["company"] } });
expect(found.data.length === 1 && found.data[0]?.expanded?.company?.name === run, "the filter found something else");
done("found them with a filter tree");

const ids = new Set<string>();
let cursor: string | undefined;
do {
  const page = await contacts.listContacts({ limit: 2, cursor });
  page.data.forEach((record) => ids.add(record.id));
  cursor = page.nextCursor ?? undefined;
} while (cursor);
expect(ids.has(contact.id) && ids.size > 2, "the pages lack somebody");
done("paged through a list");

const ifMatch = there(made.raw.headers.get("etag"), "no ETag");
const patch = (jobTitle: string) => contacts.updateContact({ contactId: contact.id, ifMatch, contactPatch: { jobTitle } });
expect((await patch("Analyst")).jobTitle === "Analyst", "the patch did not take");
const late = await problem(patch("Countess"));
expect(late.status === 412 && late.problem.code === "precondition_failed" && late.problem.currentVersion === 2, "no 412");
done("patched, and met a 412");

const batch = await contacts.batchContacts({ contactBatch: { operations: [{ op: "create", data: { lastName: run } }, { op: "create", data: {} }] } });
expect(batch.results[0]?.status === 201 && batch.results[1]?.error?.errors[0]?.pointer === "/data", "the batch went otherwise");
done("sent a batch with one bad item");

const upsert = () => contacts.upsertContact({ connection: "shop", externalId: run.replace(" ", "-"), contactPatch: { lastName: run, jobTitle: "Customer" } });
expect((await upsert()).result === "created" && (await upsert()).result === "unchanged", "the upsert made two");
done("upserted by external id, twice");

const lead = await leads.createLead({ newLead: { lastName: run, companyName: `${run} Ltd` } });
const conversion = await leads.convertLead({ leadId: lead.id, convertLead: { opportunity: { values: { name: run } } } });
done("converted a lead");

const opportunityId = there(conversion.opportunityId, "no opportunity");
const stages = (await pipelines.listPipelines()).data[0]?.stages ?? [];
const open = stages.filter((stage) => stage._class === "open");
const move = (stageId: string) => opportunities.moveOpportunity({ opportunityId, moveOpportunity: { stageId } });
expect((await move(there(open[1], "no second stage").id)).stageId === open[1]?.id, "it did not move");
await opportunities.winOpportunity({ opportunityId, winOpportunity: {} });
const refused = await problem(move(there(open[0], "no first stage").id));
expect(refused.status === 409 && refused.problem.code === "invalid_transition", "the move was not refused");
done("moved an opportunity, and met a refused move");

let names: string[] = [];
for (let tries = 0; tries < 100 && !names.includes("opportunity.won"); tries += 1) {
  names = (await changes.listChanges({ cursor: head, limit: 200 })).data.map((entry) => entry.event);
  if (!names.includes("opportunity.won")) await new Promise((resolve) => setTimeout(resolve, 50));
}
expect(names.includes("contact.created") && names.includes("opportunity.won"), "the feed lacks something");
done("followed the change feed");

await contacts.createContact({ dryRun: true, newContact: { lastName: `${run} Rehearsed` } });
const after = await contacts.listContacts({ q: `${run} Rehearsed` });
expect(!after.data.some((record) => record.lastName === `${run} Rehearsed`), "the rehearsal left something");
done("rehearsed a write");

const wrong = await problem(contacts.createContact({ newContact: { lastName: run, birthday: new Date(0), timeZone: "Nowhere" } }));
expect(wrong.problem.code === "validation_failed" && wrong.problem.errors[0]?.pointer === "/time_zone", "the problem does not say where");
done("read a typed problem");
