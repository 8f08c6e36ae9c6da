// How the tests change something behind the back of a page.

export interface Contact {
  id: string;
  version: number;
  name: string;
  first_name: string | null;
  last_name: string | null;
  job_title: string | null;
  emails: { address: string }[];
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`http://127.0.0.1:${process.env.RAPPORT_PORT}/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${process.env.RAPPORT_KEY}`, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as T;
}

export const create = (contact: object) => call<Contact>("POST", "/contacts", contact);
export const change = (id: string, patch: object) => call<Contact>("PATCH", `/contacts/${id}`, patch);
export const read = (id: string) => call<Contact>("GET", `/contacts/${id}`);

/** Several at once, all with this last name. */
export const createMany = (last_name: string, count: number) =>
  call("POST", "/contacts/batch", {
    atomic: true,
    operations: Array.from({ length: count }, (_, index) => ({ op: "create", data: { first_name: `No. ${index + 1}`, last_name } })),
  });

/** A last name that nobody else has. */
export const unique = () => `Run${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
