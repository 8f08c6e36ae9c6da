// The reference at /docs, as people use it who try a call out.

import { expect, test } from "@playwright/test";

// A name for the server that is not local: the viewer behaves otherwise where it believes that nobody is listening.
const origin = `http://rapport.example:${process.env.RAPPORT_PORT}`;

for (const [name, viewport] of Object.entries({ desktop: { width: 1280, height: 800 }, telephone: { width: 390, height: 844 } })) {
  test.describe(`on a ${name}`, () => {
    test.use({ viewport, isMobile: name === "telephone", hasTouch: name === "telephone" });

    test("tries a call out, and needs nothing from elsewhere", async ({ page }) => {
      const elsewhere: string[] = [];
      const problems: string[] = [];
      page.on("request", (request) => {
        const url = new URL(request.url());
        if (url.origin !== origin && url.protocol !== "data:") elsewhere.push(url.href);
      });
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
      page.on("pageerror", (error) => problems.push(error.message));

      await page.goto(`${origin}/docs`);
      await expect(page).toHaveTitle("Rapport: API reference");
      // It draws some hundred operations.
      const authorize = page.getByRole("button", { name: "Authorize" });
      await authorize.click({ timeout: 60_000 });
      const credentials = page.locator(".auth-container").filter({ hasText: "X-Api-Key" });
      await credentials.getByRole("textbox").fill(process.env.RAPPORT_KEY!);
      await credentials.getByRole("button", { name: "Apply credentials" }).click();
      await expect(credentials).toContainText("Authorized");
      await credentials.getByRole("button", { name: "Close" }).click();

      const operation = page.locator(".opblock").filter({ has: page.locator('[data-path="/v1/contacts"]') }).filter({ hasText: "List contacts" });
      await operation.getByRole("button", { name: "List contacts" }).click();
      await operation.getByRole("button", { name: "Cancel" }).click();
      await operation.getByRole("button", { name: "Try it out" }).click();
      await operation.getByRole("button", { name: "Execute" }).click();
      const answer = operation.locator(".live-responses-table");
      await expect(answer.locator(".response .response-col_status")).toContainText("200");
      // The examples of the parameters fit the sample data.
      await expect(answer).toContainText('"name": "Anna Lindt"');
      await answer.scrollIntoViewIfNeeded();
      await page.screenshot({ path: `screenshots/docs-${name}.png` });

      // The page is as wide as the screen: nothing is shrunk to fit.
      expect(await page.evaluate(() => [window.innerWidth, window.visualViewport?.scale])).toEqual([viewport.width, 1]);
      await expect(answer.getByText("Response body")).toBeInViewport({ ratio: 1 });
      expect(elsewhere).toEqual([]);
      expect(problems).toEqual([]);
    });
  });
}
