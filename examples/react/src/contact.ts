// Contacts: how they are read, and how a form changes them.

import type { components } from "./generated/schema";
import { unwrap } from "./problem";
import { rapport } from "./rapport";

export type Contact = components["schemas"]["Contact"];
type Patch = components["schemas"]["ContactPatch"];
export type Stage = components["schemas"]["LifecycleStage"];

/** The stages that this page knows. More may come, so one that is not among them is shown as it is. */
export const STAGES = ["subscriber", "lead", "prospect", "customer", "former_customer", "other"] as const satisfies Stage[];

export interface Filter {
  q: string;
  stage: Stage | "";
}

const PAGE = 20;

export async function readPage({ q, stage }: Filter, cursor: string | null, signal: AbortSignal) {
  const query = {
    limit: PAGE,
    // What the list shows, and no more.
    fields: ["name" as const, "job_title" as const, "emails" as const, "lifecycle_stage" as const],
    expand: ["company" as const],
    ...(q && { q }),
    ...(stage && { lifecycle_stage: [stage] }),
    ...(cursor && { cursor }),
  };
  return unwrap(await rapport.GET("/v1/contacts", { params: { query }, signal }));
}

export async function read(contact_id: string, signal?: AbortSignal): Promise<Contact> {
  return unwrap(await rapport.GET("/v1/contacts/{contact_id}", { params: { path: { contact_id } }, signal }));
}

/** What became of a change: it was saved, or somebody else was faster and theirs is the contact by now. */
export type Outcome = { saved: Contact } | { theirs: Contact };

/** Changes a contact, if it is still as it was. */
export async function save(base: Contact, draft: Draft): Promise<Outcome> {
  const answer = await rapport.PATCH("/v1/contacts/{contact_id}", {
    params: { path: { contact_id: base.id }, header: { "If-Match": `"${base.version}"` } },
    body: patch(base, draft),
  });
  if (answer.response.status === 412) return { theirs: await read(base.id) };
  return { saved: unwrap(answer) };
}

/** A contact as the form shows it: text in each field. */
export type Draft = Record<FieldName, string>;

export type FieldName = "first_name" | "last_name" | "job_title" | "email" | "birthday" | "lifecycle_stage";

interface Field {
  name: FieldName;
  label: string;
  /** The place in a contact, by which problems name it. */
  pointer: string;
  read: (contact: Contact) => string;
  write: (value: string, contact: Contact) => Patch;
}

/** A field whose text in the form is its value; left empty, it has none. */
function text(name: "first_name" | "last_name" | "job_title" | "birthday", label: string): Field {
  return {
    name,
    label,
    pointer: `/${name}`,
    read: (contact) => contact[name] ?? "",
    write: (value) => ({ [name]: value || null }),
  };
}

export const FIELDS: Field[] = [
  text("first_name", "First name"),
  text("last_name", "Last name"),
  text("job_title", "Job title"),
  {
    name: "email",
    label: "E-mail address",
    pointer: "/emails",
    read: (contact) => contact.emails?.[0]?.address ?? "",
    // A list is replaced, so the other addresses go along.
    write: (address, { emails = [] }) => ({
      emails: [...(address ? [{ address, type: emails[0]?.type }] : []), ...emails.slice(1)],
    }),
  },
  text("birthday", "Birthday"),
  {
    name: "lifecycle_stage",
    label: "Stage",
    pointer: "/lifecycle_stage",
    read: (contact) => contact.lifecycle_stage ?? "",
    write: (value) => ({ lifecycle_stage: value as Stage }),
  },
];

export function draftOf(contact: Contact): Draft {
  return Object.fromEntries(FIELDS.map((field) => [field.name, field.read(contact)])) as Draft;
}

/** What the draft changes, and nothing else: so changes of other fields are kept. */
function patch(base: Contact, draft: Draft): Patch {
  const changed = FIELDS.filter((field) => draft[field.name] !== field.read(base));
  return Object.assign({}, ...changed.map((field) => field.write(draft[field.name], base))) as Patch;
}

export type Side = "mine" | "theirs";

export interface Difference {
  field: Field;
  mine: string;
  theirs: string;
  /** Whose value is likely to be meant: theirs where only they changed the field. */
  likely: Side;
}

/** Where two people who both began from `base` have come to different values. */
export function differences(base: Contact, mine: Draft, theirs: Contact): Difference[] {
  return FIELDS.map((field): Difference => {
    const value = { before: field.read(base), mine: mine[field.name], theirs: field.read(theirs) };
    return { field, mine: value.mine, theirs: value.theirs, likely: value.mine === value.before ? "theirs" : "mine" };
  }).filter((difference) => difference.mine !== difference.theirs);
}

/** Their contact with the values of mine that were chosen. */
export function merged(theirs: Contact, found: Difference[], chosen: Partial<Record<FieldName, Side>>): Draft {
  const mine = found.filter(({ field, likely }) => (chosen[field.name] ?? likely) === "mine");
  return { ...draftOf(theirs), ...Object.fromEntries(mine.map(({ field, mine }) => [field.name, mine])) };
}
