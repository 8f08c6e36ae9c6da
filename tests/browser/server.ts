// Starts what the tests are about: the real server with its sample data, and the page of examples/react, made for it.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createServer } from "node:net";

const PAGE = new URL("../../examples/react", import.meta.url).pathname;

export default async function start(): Promise<() => Promise<void>> {
  const pagePort = await freePort();
  const server = await startServer(`http://localhost:${pagePort}`);
  const page = await startPage(pagePort);
  return async () => {
    await page.close();
    server.stdin?.end();
    if (server.exitCode === null) await once(server, "exit");
  };
}

/** The server, and in the environment its port and a key that may do everything. */
async function startServer(pageOrigin: string): Promise<ChildProcess> {
  // It stops by itself when its standard input closes: however the tests end, it goes, and its database with it.
  const options = ["serve", "--demo", "--ephemeral", "--stop-with-stdin", "--listen", "127.0.0.1:0", "--cors-origin", pageOrigin];
  if (!process.env.RAPPORT) throw new Error("Start the tests by tests/browser/run: it says in RAPPORT which program to try.");
  const server = spawn(process.env.RAPPORT, options, { stdio: ["pipe", "pipe", "inherit"] });
  const told = await said(server, /API +http:\/\/127\.0\.0\.1:(\d+)[^]*API key +(\S+)\n/);
  process.env.RAPPORT_PORT = told[1];
  process.env.RAPPORT_KEY = told[2];
  return server;
}

interface Page {
  close(): Promise<void>;
}

/** The page as it is delivered, and in the environment where it is. */
async function startPage(port: number): Promise<Page> {
  const environment = { ...process.env, VITE_RAPPORT_URL: `http://127.0.0.1:${process.env.RAPPORT_PORT}` };
  execFileSync("npm", ["run", "build", "--silent"], { cwd: PAGE, env: environment, stdio: ["ignore", "ignore", "inherit"] });
  const vite = (await import(createRequire(`${PAGE}/package.json`).resolve("vite"))) as { preview(options: object): Promise<Page> };
  process.env.PAGE_URL = `http://localhost:${port}`;
  return vite.preview({ root: PAGE, preview: { port, strictPort: true } });
}

/** Waits until a program has said something. */
function said(program: ChildProcess, awaited: RegExp): Promise<RegExpExecArray> {
  let words = "";
  return new Promise((resolve, reject) => {
    program.once("error", reject);
    program.once("exit", (code) => reject(new Error(`${program.spawnfile} ended with ${code} before it was ready. ${words}`)));
    program.stdout?.on("data", (chunk: Buffer) => {
      words += chunk.toString();
      const found = awaited.exec(words);
      if (found) resolve(found);
    });
  });
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, "localhost");
  await once(listener, "listening");
  const address = listener.address();
  listener.close();
  await once(listener, "close");
  if (typeof address !== "object" || !address) throw new Error("There is no free port.");
  return address.port;
}
