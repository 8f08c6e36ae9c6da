// The client, typed by the OpenAPI document, and who is signed in: all tabs share the tokens, requests carry them, and renew them
// when they have ended.

import createClient from "openapi-fetch";
import { useSyncExternalStore } from "react";
import type { components, paths } from "./generated/schema";
import { unwrap } from "./problem";

type Tokens = components["schemas"]["SessionTokens"];

const baseUrl: string = import.meta.env.VITE_RAPPORT_URL ?? "http://127.0.0.1:8080";

export const rapport = createClient<paths>({ baseUrl, fetch: send });

/** For whoever is not signed in yet. */
const anonymous = createClient<paths>({ baseUrl, fetch: reach });

/** Where the tokens are kept, and the name of the lock under which they are renewed. */
const PLACE = "rapport.session";

const changes = new EventTarget();

function tokens(): Tokens | undefined {
  const kept = localStorage.getItem(PLACE);
  return kept ? (JSON.parse(kept) as Tokens) : undefined;
}

function keep(next: Tokens | undefined): void {
  if (next) localStorage.setItem(PLACE, JSON.stringify(next));
  else localStorage.removeItem(PLACE);
  changes.dispatchEvent(new Event("change"));
}

export function useIsSignedIn(): boolean {
  return useSyncExternalStore(subscribe, () => localStorage.getItem(PLACE) !== null);
}

function subscribe(changed: () => void): () => void {
  // The first tells of this tab, the second of all others.
  changes.addEventListener("change", changed);
  window.addEventListener("storage", changed);
  return () => {
    changes.removeEventListener("change", changed);
    window.removeEventListener("storage", changed);
  };
}

export async function signIn(credentials: components["schemas"]["Login"]): Promise<void> {
  keep(unwrap(await anonymous.POST("/v1/auth/login", { body: credentials })));
}

export async function signOut(): Promise<void> {
  try {
    const answer = await rapport.POST("/v1/auth/logout");
    // A session that is over already needs no end.
    if (answer.response.status !== 401) unwrap(answer);
  } finally {
    // Without a connection, this browser forgets the tokens all the same.
    keep(undefined);
  }
}

/** Sends a request as whoever is signed in. When the access token has ended, gets the next one and sends it again. */
async function send(request: Request): Promise<Response> {
  const mine = tokens();
  // A body can be sent once.
  const again = request.clone();
  const answer = await reach(carrying(request, mine));
  if (answer.status !== 401 || !mine) return answer;
  const next = await renew(mine);
  return next ? reach(carrying(again, next)) : answer;
}

function carrying(request: Request, mine: Tokens | undefined): Request {
  if (mine) request.headers.set("Authorization", `Bearer ${mine.access_token}`);
  return request;
}

/** Gets the tokens after the ones that have ended. A refresh token is good for one time; whoever uses it later again ends the
 * session. So one request of one tab renews, and the others wait and take what it got. */
async function renew(ended: Tokens): Promise<Tokens | undefined> {
  return navigator.locks.request(PLACE, async () => {
    const newest = tokens();
    if (newest?.access_token !== ended.access_token) return newest;
    const answer = await anonymous.POST("/v1/auth/refresh", { body: { refresh_token: ended.refresh_token } });
    // The session is over: the page shows the form to sign in.
    const next = answer.response.status === 401 ? undefined : unwrap(answer);
    keep(next);
    return next;
  });
}

async function reach(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (cause) {
    if (request.signal.aborted) throw cause;
    throw new Error(`${baseUrl} can't be reached. Check the connection, and that the server allows this page's origin.`, { cause });
  }
}
