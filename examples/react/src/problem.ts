// What Rapport answers when something went wrong, as an exception.

import type { components } from "./generated/schema";

type Problem = components["schemas"]["Problem"];

/** A problem document. Programs decide by its code, people read its detail. */
export class Refusal extends Error {
  constructor(
    readonly problem: Problem,
    /** How long to wait before asking again, in milliseconds, where the server says so. */
    readonly retryAfter: number | undefined,
  ) {
    super(problem.detail);
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What was answered, unless it was refused. */
export function unwrap<T>({ data, error, response }: Answer<T>): T {
  if (response.ok) return data as T;
  if (!isProblem(error)) {
    // Something between this page and Rapport answered.
    throw new Error(`The server answered ${response.status}. Try again in a moment.`);
  }
  const seconds = Number(response.headers.get("Retry-After"));
  throw new Refusal(error, seconds > 0 ? seconds * 1000 : undefined);
}

function isProblem(error: unknown): error is Problem {
  return typeof error === "object" && error !== null && "code" in error && "detail" in error;
}

/** What is wrong with one part of the body, such as `/emails`; what is wrong inside of it belongs to it. */
export function problemOf(error: unknown, pointer: string): string | undefined {
  if (!(error instanceof Refusal)) return undefined;
  return error.problem.errors.find((problem) => isWithin(problem.pointer, pointer))?.detail;
}

/** What is wrong altogether, and in places other than these. */
export function problemsBeside(error: Error, pointers: string[]): string[] {
  if (!(error instanceof Refusal) || error.problem.errors.length === 0) return [error.message];
  const others = error.problem.errors.filter((problem) => !pointers.some((pointer) => isWithin(problem.pointer, pointer)));
  return ["Nothing was saved: look at what needs attention.", ...others.map((problem) => problem.detail)];
}

function isWithin(place: string | undefined, pointer: string): boolean {
  return place === pointer || Boolean(place?.startsWith(`${pointer}/`));
}
