// Drives a real Chromium over the pages, as a person would: node browser.mjs PACKAGES LINK HOST [PICTURES]
// Says `now: PATH` when something has to be asked for through the gate, and waits for a line. Fails with what it saw.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";

const [packages, link, host, pictures] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(path.join(packages, "playwright-core/index.mjs")).href);
const axe = fs.readFileSync(path.join(packages, "axe-core/axe.min.js"), "utf8");
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
await context.grantPermissions(["clipboard-write"]);
const page = await context.newPage();
page.setDefaultTimeout(60_000);
page.setDefaultNavigationTimeout(60_000);
const complaints = [];
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) { complaints.push(message.text()); }
});
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("request", (request) => {
  if (!request.url().startsWith(new URL(link).origin) && !request.url().startsWith("data:")) { complaints.push(`asked for ${request.url()}`); }
});

async function now(what) {
  console.log(`now: ${what}`);
  assert.equal((await answers.next()).value, "done");
}

// What was copied, as another page gets it: ours may not read the clipboard.
async function pasted() {
  const other = await context.newPage();
  await other.setContent("<textarea></textarea>");
  await other.locator("textarea").focus();
  await other.keyboard.press("Control+V");
  const text = await other.locator("textarea").inputValue();
  await other.close();
  return text;
}

const rows = () => page.locator("#events tbody tr");
const seen = (text) => page.locator("#events tbody tr", { hasText: text });

try {
  // Log in by the link, once.
  await page.goto(link);
  await page.waitForURL(/\/[\w-]{22}\/$/);
  const base = page.url();
  assert.equal(await page.title(), "Traffic · Outwall");
  assert.equal(await page.evaluate(() => document.cookie), "", "script sees no session");
  const stranger = await browser.newContext();
  const refused = await (await stranger.newPage()).goto(link);
  assert.equal(refused.status(), 401);
  await stranger.close();

  // What is new comes by itself, on top, and has an end.
  await page.locator("#live-mark", { hasText: /^live$/ }).waitFor();
  await now("/echo/live-one");
  await seen("/echo/live-one").waitFor();
  await seen("/echo/live-one").locator(".status", { hasText: "200" }).waitFor();
  assert.match(await rows().first().innerText(), /live-one/);
  assert.equal(await seen("/echo/live-one").count(), 1, "one row for a request and its end");

  // Paused, it waits.
  await page.getByRole("button", { name: "Pause" }).click();
  await now("/echo/while-paused");
  await page.locator("#live-text", { hasText: /[1-9]\d* new/ }).waitFor();
  assert.equal(await seen("while-paused").count(), 0);
  await page.keyboard.press("p");
  await seen("while-paused").waitFor();

  // A filter without loading the page, in the address; what is new is filtered, too.
  await page.evaluate(() => { window.still = true; });
  await page.getByLabel("Denied").check();
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/denied=1/);
  await page.waitForFunction(() => !document.querySelector("#events tbody tr:not(.deny)"));
  assert.ok(await page.evaluate(() => window.still), "the page stayed");
  assert.equal(await rows().count(), 1);
  await page.locator("#live-mark", { hasText: /^live$/ }).waitFor();
  await now("/echo/not-denied");
  await page.goBack();
  await seen("not-denied").waitFor();
  assert.ok(!page.url().includes("denied"));
  await page.goto(`${base}?denied=1`);
  assert.equal(await seen("not-denied").count(), 0);
  await page.goto(base);

  // Keys.
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.name), "host");
  await page.keyboard.type("j");
  assert.equal(await page.getByLabel("Host").inputValue(), "j", "in a field, keys are text");
  await page.getByLabel("Host").fill("");
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const second = await rows().nth(1).locator(".what a").getAttribute("href");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), second);
  await page.keyboard.press("k");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), second);
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await page.getByLabel("Use these keys").uncheck();
  await page.keyboard.press("Escape");
  const before = await page.evaluate(() => document.activeElement.outerHTML);
  await page.keyboard.press("j");
  assert.equal(await page.evaluate(() => document.activeElement.outerHTML), before, "keys are off");
  await page.evaluate(() => localStorage.clear());
  await page.goto(base);

  // An event, opened by the keyboard; its line, copied.
  await seen("/echo/live-one").locator(".what a").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/events\//);
  const event = page.url();
  await page.getByRole("heading", { level: 1, name: /live-one/ }).waitFor();
  await page.locator(".copied", { hasText: "exchange.going_out" }).getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const line = JSON.parse(await pasted());
  assert.equal(line.target, `${host}:443`);
  assert.equal(line.path, "/echo/live-one");
  const timeline = new URL(await page.getByRole("link", { name: /^s-/ }).first().getAttribute("href"), base).href;

  // "Allow this", to copy.
  await page.goto(`${base}denials`);
  await page.locator("summary", { hasText: "Allow this" }).first().click();
  await page.locator(".copied").first().getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied" }).first().waitFor();
  assert.match(await pasted(), /^\[environments\.test\]\nallowed_domains = \["other\.example\.test"\]$/);

  // State comes by itself when the chain is verified.
  await page.goto(`${base}state`);
  await page.getByText("every one fits").waitFor();

  // Every view, in light and dark, wide and narrow, with text twice as large: nobody is kept out, and nothing is cut off.
  const views = {
    traffic: base,
    filtered: `${base}?denied=1&session=x`,
    problem: `${base}?host=https://x/`,
    event,
    denials: `${base}denials`,
    findings: `${base}findings`,
    top: `${base}top`,
    denied: `${base}top?what=denied`,
    sandboxes: `${base}sandboxes`,
    timeline,
    state: `${base}state`,
  };
  for (const [scheme, width, zoom] of [["light", 1280, 1], ["dark", 1280, 1], ["light", 400, 1], ["dark", 1280, 2]]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width: Math.round(width / zoom), height: Math.round(800 / zoom) });
    for (const [name, address] of Object.entries(views)) {
      await page.goto(address);
      for (const summary of await page.locator("details:not([open]) > summary").all()) { await summary.click(); }
      await page.evaluate(axe);
      const found = await page.evaluate(() => globalThis.axe.run());
      const told = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
      assert.deepEqual(told, [], `${name}, ${scheme}, ${width} px, ${zoom} times`);
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(beyond <= 0, `${name} is ${beyond} px too wide at ${width} px`);
      if (pictures && zoom === 1) { await page.screenshot({ path: path.join(pictures, `${name}-${scheme}-${width}.png`) }); }
    }
  }
  await page.emulateMedia({ colorScheme: "light" });

  // Without script every view is whole.
  const plain = await browser.newContext({ javaScriptEnabled: false, storageState: await context.storageState() });
  const still = await plain.newPage();
  for (const [name, address] of Object.entries(views)) {
    assert.equal((await still.goto(address)).status(), 200, name);
    assert.ok(await still.locator("h1").isVisible(), name);
  }
  await still.goto(base);
  await still.getByLabel("Host").fill("other.example.test");
  await still.getByRole("button", { name: "Filter" }).click();
  await still.waitForURL(/host=other/);
  assert.equal(await still.locator("#events tbody tr").count(), 1);
  await plain.close();

  // Nothing was refused by the content security policy, nothing failed, nothing was asked for elsewhere.
  assert.deepEqual(complaints, []);

  // Log out.
  await page.goto(base);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Logged out" }).waitFor();
  assert.equal((await page.goto(base)).status(), 401);
  console.log("the browser saw what it should");
} catch (error) {
  console.log(`at ${page.url()}\n${error.stack}\ncomplaints: ${JSON.stringify(complaints)}`);
  if (pictures) { await page.screenshot({ path: path.join(pictures, "failed.png") }).catch(() => {}); }
  process.exitCode = 1;
} finally {
  await browser.close();
  process.exit();
}
