// The page of examples/react, as people use it.

import { expect, type Page, test } from "@playwright/test";
import { change, type Contact, create, createMany, read, unique } from "./api.js";
import { Line } from "./line.js";

const row = (page: Page, text: string) => page.getByRole("row").filter({ hasText: text });
const dialog = (page: Page) => page.getByRole("dialog");
const keep = (page: Page, name: string) => page.screenshot({ path: `screenshots/react-${name}.png`, fullPage: true });

async function signIn(page: Page, password = "rapport-demo-password") {
  await page.goto(process.env.PAGE_URL!);
  await page.getByLabel("Workspace").fill("demo");
  await page.getByLabel("E-mail address").fill("mara@demo.example");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Signs in, and lists one contact of this test alone. */
async function withContact(page: Page, contact: object): Promise<Contact> {
  const last_name = unique();
  const made = await create({ first_name: "Ada", last_name, ...contact });
  await signIn(page);
  await expect(page.getByText("Live")).toBeVisible();
  await page.getByLabel("Search").fill(last_name);
  await expect(page.getByText("Contacts shown: 1", { exact: true })).toBeVisible();
  return made;
}

const edit = (page: Page, contact: Contact) => page.getByRole("button", { name: contact.name }).click();
const save = (page: Page) => dialog(page).getByRole("button", { name: "Save" }).click();

let problems: string[] = [];

test.beforeEach(({ page }) => {
  problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
});

test.afterEach(() => expect(problems).toEqual([]));

test("says why somebody can't sign in, and signs in", async ({ page }) => {
  await signIn(page, "not the password");
  await expect(page.getByRole("alert")).toContainText("password");
  await expect(page.getByLabel("Workspace")).toHaveValue("demo");

  await signIn(page);
  await page.getByLabel("Search").fill("anna lindt");
  await expect(row(page, "Anna Lindt")).toContainText("Lindt & Daughters");
  await keep(page, "list");

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  expect(await page.evaluate(() => localStorage.length)).toBe(0);
});

test("searches and filters", async ({ page }) => {
  await signIn(page);
  await page.getByLabel("Search").fill("lindt");
  await expect(row(page, "Anna Lindt")).toBeVisible();
  await expect(row(page, "Haruto Sato")).toHaveCount(0);

  await page.getByLabel("Stage").selectOption("prospect");
  await expect(page.getByText("Nobody fits.")).toBeVisible();
  await page.getByLabel("Search").fill("");
  await expect(row(page, "Siobhán O'Connor")).toBeVisible();
  await expect(row(page, "Anna Lindt")).toHaveCount(0);
  await keep(page, "filtered");
});

test("loads page after page", async ({ page }) => {
  const name = unique();
  await createMany(name, 45);
  await signIn(page);
  await page.getByLabel("Search").fill(name);
  await expect(page.getByText("Contacts shown: 20, and")).toBeVisible();
  const more = page.getByRole("button", { name: "Load more" });
  await more.click();
  await expect(page.getByText("Contacts shown: 40, and")).toBeVisible();
  await more.click();
  await expect(page.getByText("Contacts shown: 45", { exact: true })).toBeVisible();
  await expect(more).toHaveCount(0);
  const names = await page.getByRole("rowheader").allTextContents();
  expect(new Set(names).size).toBe(45);
});

test("edits with the keyboard alone", async ({ page }) => {
  const contact = await withContact(page, { job_title: "Analyst", birthday: "1815-12-10" });
  await page.getByRole("button", { name: contact.name }).press("Enter");
  await dialog(page).getByLabel("Job title").fill("Programmer");
  await keep(page, "editor");
  await page.keyboard.press("Enter");
  await expect(dialog(page)).toHaveCount(0);
  await expect(row(page, contact.name)).toContainText("Programmer");
  await expect(page.getByRole("button", { name: contact.name })).toBeFocused();
  expect(await read(contact.id)).toMatchObject({ version: 2, job_title: "Programmer", birthday: "1815-12-10" });
});

test("shows both versions when somebody was faster, and saves what is chosen", async ({ page }) => {
  const emails = [{ address: `${unique()}@example.com` }, { address: `${unique()}@example.org` }];
  const contact = await withContact(page, { job_title: "Analyst", emails });
  await edit(page, contact);
  await dialog(page).getByLabel("First name").fill("Augusta");
  await dialog(page).getByLabel("Job title").fill("Programmer");

  const theirs = `${unique()}@example.net`;
  await change(contact.id, { job_title: "Countess", birthday: "1815-12-10", emails: [{ address: theirs }, emails[1]] });
  await expect(dialog(page).getByText("Somebody has changed this contact meanwhile.")).toBeVisible();
  await save(page);

  const field = (name: string) => dialog(page).getByRole("group", { name });
  await expect(field("Job title")).toContainText("Mine: Programmer");
  await expect(field("Job title")).toContainText("Theirs: Countess");
  await expect(field("First name").getByLabel("Mine")).toBeChecked();
  await expect(field("Birthday").getByLabel("Theirs")).toBeChecked();
  await expect(field("E-mail address").getByLabel("Theirs")).toBeChecked();
  await expect(field("Last name")).toHaveCount(0);
  await keep(page, "conflict");

  // While the choice is made, somebody is faster once more.
  await change(contact.id, { last_name: `${contact.last_name} King` });
  await field("Job title").getByLabel("Theirs").check();
  await dialog(page).getByRole("button", { name: "Save the choice" }).click();
  await expect(field("Last name").getByLabel("Theirs")).toBeChecked();
  await expect(field("Job title")).toHaveCount(0);
  await dialog(page).getByRole("button", { name: "Save the choice" }).click();

  await expect(dialog(page)).toHaveCount(0);
  await expect(row(page, `Augusta ${contact.last_name} King`)).toContainText("Countess");
  expect(await read(contact.id)).toMatchObject({
    version: 4,
    job_title: "Countess",
    birthday: "1815-12-10",
    emails: [{ address: theirs }, { address: emails[1]!.address }],
  });
});

test("shows what is wrong with a field, at the field", async ({ page }) => {
  const contact = await withContact(page, { emails: [{ address: `${unique()}@example.com` }] });
  await edit(page, contact);
  const email = dialog(page).getByLabel("E-mail address");
  await email.fill("ada at example");
  await dialog(page).getByLabel("Job title").fill("x".repeat(300));
  await save(page);

  await expect(email).toHaveAccessibleDescription(/not an e-mail address/);
  await expect(email).toHaveAttribute("aria-invalid", "true");
  await expect(dialog(page).getByLabel("Job title")).toHaveAccessibleDescription(/255/);
  await expect(dialog(page).getByLabel("Job title")).toBeFocused();
  await expect(dialog(page).getByLabel("Last name")).toHaveAttribute("aria-invalid", "false");
  await keep(page, "field-problems");

  const right = `${unique()}@example.com`;
  await email.fill(right);
  await dialog(page).getByLabel("Job title").fill("Analyst");
  await save(page);
  await expect(row(page, contact.name)).toContainText(right);
});

test("shows what is changed elsewhere, also after the connection broke", async ({ page }) => {
  const line = await Line.to(process.env.RAPPORT_PORT!);
  await page.route("**/v1/changes/stream?*", (route) => route.continue({ url: line.through(route.request().url()) }));
  const contact = await withContact(page, { job_title: "Analyst" });
  await change(contact.id, { job_title: "Programmer" });
  await expect(row(page, contact.name)).toContainText("Programmer");
  await keep(page, "stream");

  line.cut();
  await expect(page.getByText("Connecting again.")).toBeVisible();
  await change(contact.id, { job_title: "Countess" });
  const opened = page.waitForRequest((request) => request.url().includes("cursor="));
  await line.mend();
  await expect(row(page, contact.name)).toContainText("Countess");
  await expect(page.getByText("Live")).toBeVisible();
  expect((await opened).url()).toContain("/v1/changes/stream");
  line.cut();
});

test("gets the next access token when one has ended", async ({ page }) => {
  const contact = await withContact(page, {});
  let renewals = 0;
  page.on("request", (request) => (renewals += Number(request.method() === "POST" && request.url().endsWith("/v1/auth/refresh"))));
  await page.evaluate(() => {
    const place = "rapport.session";
    const tokens = JSON.parse(localStorage.getItem(place)!);
    localStorage.setItem(place, JSON.stringify({ ...tokens, access_token: `${tokens.access_token}x` }));
  });
  // The list and the stream ask at the same time, and renew once.
  await page.reload();
  await expect(page.getByText("Live")).toBeVisible();
  await page.getByLabel("Search").fill(contact.last_name!);
  await expect(row(page, contact.name)).toBeVisible();
  expect(renewals).toBe(1);
});

test("is usable at the width of a telephone", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const contact = await withContact(page, {});
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await edit(page, contact);
  await expect(dialog(page).getByRole("button", { name: "Save" })).toBeInViewport();
  await keep(page, "narrow");
});
