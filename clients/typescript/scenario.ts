// What every scenario begins with: where the server is, and how a step that went well is told.

export const url = process.env.RAPPORT_URL ?? "http://127.0.0.1:8080";

/** Names of this run, so that it finds what it made and nothing else. */
export const run = `Run ${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;

export const credentials = { workspace: "demo", email: "mara@demo.example", password: "rapport-demo-password" };

let steps = 0;

export function done(step: string): void {
  steps += 1;
  console.log(`  ${steps}. ${step}`);
}

export function expect(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** What must be there. */
export function there<T>(value: T | null | undefined, message: string): T {
  if (value === null || value === undefined) throw new Error(message);
  return value;
}
