// Follows the change stream. The browser's EventSource can't send an access token, so the stream is read by fetch.

import { type EventSourceMessage, EventSourceParserStream } from "eventsource-parser/stream";
import { Refusal, unwrap } from "./problem";
import { rapport } from "./rapport";

/** In milliseconds, between one try and the next. */
const SHORTEST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

interface Listener {
  signal: AbortSignal;
  /** Contacts have changed, perhaps many: this is called once for all that happened together. */
  onChange: () => void;
  /** Everything that has happened so far is known, and what happens next will be. */
  onLive: () => void;
  /** The stream broke; it will be tried again. */
  onBreak: (reason: Error) => void;
}

/** Goes on until the signal ends it, from the last place that was heard of, however often the stream breaks. */
export async function follow({ signal, onChange, onLive, onBreak }: Listener): Promise<void> {
  let cursor: string | undefined;
  // Without a cursor nobody knows what happened before.
  let hasChanged = true;
  let pause = SHORTEST_PAUSE;
  while (!signal.aborted) {
    try {
      for await (const event of open(cursor, signal)) {
        cursor = event.id ?? cursor;
        if (event.event === "change") hasChanged = true;
        if (event.event !== "head") continue;
        if (hasChanged) onChange();
        hasChanged = false;
        pause = SHORTEST_PAUSE;
        onLive();
      }
      // Streams end with the access token, too: the next one begins with a new token.
      if (!signal.aborted) onBreak(new Error("The server ended the stream."));
    } catch (error) {
      if (signal.aborted) return;
      onBreak(error instanceof Error ? error : new Error(String(error)));
      if (error instanceof Refusal) {
        pause = Math.max(pause, error.retryAfter ?? 0);
        if (error.problem.code === "resync_required") {
          cursor = undefined;
          hasChanged = true;
        }
      }
    }
    await waited(pause, signal);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
}

async function* open(cursor: string | undefined, signal: AbortSignal): AsyncGenerator<EventSourceMessage> {
  const query = { kind: ["contact" as const], ...(cursor ? { cursor } : { from: "head" as const }) };
  const body = unwrap(await rapport.GET("/v1/changes/stream", { params: { query }, parseAs: "stream", signal }));
  if (!body) return;
  const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()).getReader();
  for (;;) {
    const { done, value } = await events.read();
    if (done) return;
    yield value;
  }
}

function waited(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
