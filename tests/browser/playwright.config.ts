import { existsSync } from "node:fs";
import { defineConfig, devices } from "@playwright/test";

const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);
if (!executablePath) {
  throw new Error("No Chromium is found: apt-get install chromium, or say in the variable CHROMIUM where it is.");
}

export default defineConfig({
  testMatch: "*.spec.ts",
  outputDir: "results",
  globalSetup: "./server.ts",
  // The tests share one server and its sample data.
  workers: 1,
  forbidOnly: true,
  timeout: 120_000,
  expect: { timeout: 15_000 },
  reporter: "list",
  use: {
    ...devices["Desktop Chrome"],
    trace: "retain-on-failure",
    launchOptions: { executablePath, args: ["--host-resolver-rules=MAP rapport.example 127.0.0.1"] },
  },
});
