// Checks the HTML reports: html-validate, axe in light and dark and on a phone, and
// in a real browser that nothing is loaded, nothing of a capture runs, tables
// sort and filter by mouse and by keyboard, and paper has everything.
import { readdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { HtmlValidate } from "html-validate";
import { chromium } from "playwright-core";

const folder = process.argv[3];
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const quiet = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const names = (await readdir(folder)).filter((name) => name.endsWith(".html")).sort();
let failures = 0;

function check(holds, what) {
  if (!holds) {
    failures++;
    console.log(`FAIL ${what}`);
  }
}

// The pages are served, so that a request of theirs would be seen.
const asked = [];
const server = createServer(async (request, response) => {
  if (request.url !== "/favicon.ico") asked.push(request.url); // that one is the browser's own, for the tab
  const name = request.url.slice(1);
  if (!names.includes(name)) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": "text/html" }).end(await readFile(join(folder, name)));
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const home = `http://127.0.0.1:${server.address().port}/`;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: quiet });

// visit opens a page and watches it; use gets it loaded.
async function visit(name, options, use) {
  const { script = true, ...context } = options;
  const made = await browser.newContext({ javaScriptEnabled: script, ...context });
  const page = await made.newPage();
  const requests = [];
  const said = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  page.on("dialog", (dialog) => { said.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on("popup", () => said.push("popup"));
  await page.goto(home + name, { waitUntil: "load" });
  await use(page);
  check(requests.length === 1, `${name}: it asked for ${requests.join(" ")}`);
  check(said.length === 0, `${name}: the console says ${said.join(" | ")}`);
  await made.close();
}

async function validate() {
  const validator = new HtmlValidate({ extends: ["html-validate:recommended"] });
  for (const name of names) {
    const report = await validator.validateString(await readFile(join(folder, name), "utf8"));
    const all = report.results.flatMap((result) => result.messages);
    check(all.length === 0, `${name}: html-validate finds ${all.length}: ` +
      all.slice(0, 8).map((m) => `${m.line}:${m.column} ${m.ruleId} ${m.message}`).join("\n     "));
  }
}

// accessible runs every rule of axe, best practices among them, with all folds open.
async function accessible() {
  const source = await readFile(axe, "utf8");
  for (const name of names) {
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [390, 1280]) {
        const made = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
        const page = await made.newPage();
        await page.goto(home + name);
        if (name !== "crowd.html") await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
        await page.evaluate(source);
        const { violations } = await page.evaluate(() => axe.run());
        check(violations.length === 0, `${name} ${colorScheme} ${width}: axe finds ` +
          violations.map((v) => `${v.id} at ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary ?? ""}`).join(", ")} (${v.nodes.length})`).join("\n     "));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        check(wide <= width, `${name} ${width}: the page is ${wide} wide`);
        await made.close();
      }
    }
  }
}

// inert proves that text of a capture stays text, with the page's policy and
// without it.
async function inert() {
  for (const bypassCSP of [false, true]) {
    await visit("hostile.html", { bypassCSP }, async (page) => {
      await page.locator("summary").first().click();
      await page.waitForTimeout(200);
      const active = await page.evaluate(() => [...document.querySelectorAll("*")].filter((e) =>
        [...e.attributes].some((a) => a.name.startsWith("on") || /^\s*javascript:/i.test(a.value))).length);
      const scripts = await page.locator("script").count();
      const images = await page.locator("img, iframe, object, embed, link").count();
      check(active === 0 && scripts === 1 && images === 0, `hostile.html: ${active} active elements, ${scripts} scripts, ${images} images`);
      check((await page.textContent("main")).includes("<script>alert(1)</script>"), "hostile.html: the attack is not shown");
    });
  }
}

const column = (page, table, n) => page.$$eval(`${table} tbody tr:not([hidden])`, (rows, n) => rows.map((r) => r.cells[n].dataset.value ?? r.cells[n].textContent), n);
const sorted = (values, compare) => values.every((v, i) => i === 0 || compare(values[i - 1], v) <= 0);
const byNumber = (a, b) => a - b;

async function usable() {
  await visit("crowd.html", {}, async (page) => {
    const hosts = page.locator(".list:has(.hosts)");
    const flows = hosts.locator("th", { hasText: "Flows" });
    check((await column(page, ".hosts", 0)).length === 50, "crowd.html: not 50 hosts at first");

    await flows.locator("button").click();
    check(await flows.getAttribute("aria-sort") === "descending", "crowd.html: a click does not sort");
    check(sorted(await column(page, ".hosts", 2), (a, b) => byNumber(b, a)), "crowd.html: flows do not fall");
    await flows.locator("button").press("Enter");
    check(await flows.getAttribute("aria-sort") === "ascending" && sorted(await column(page, ".hosts", 2), byNumber), "crowd.html: Enter does not turn the order");
    await hosts.locator("th", { hasText: "Host" }).locator("button").press("Space");
    check(await flows.getAttribute("aria-sort") === null, "crowd.html: two columns are marked as sorted");
    check(sorted(await column(page, ".hosts", 0), new Intl.Collator("en", { numeric: true }).compare), "crowd.html: Space does not sort by host");

    await page.getByLabel("Filter").nth(1).focus();
    await page.keyboard.type("host-99 .allowed.");
    check((await column(page, ".hosts", 0)).length === 5, "crowd.html: typing does not filter");
    check((await hosts.locator(".count").textContent()).startsWith("5 of 1,000 hosts"), "crowd.html: the count is not said");
    await page.keyboard.press("Escape");
    check((await column(page, ".hosts", 0)).length === 50, "crowd.html: Escape does not clear the filter");
    await hosts.locator("select").selectOption("allowed");
    check(new Set(await column(page, ".hosts", 1)).size === 1, "crowd.html: the verdict does not filter");
    await hosts.getByRole("button", { name: "Show all 500" }).click();
    check((await column(page, ".hosts", 0)).length === 500, "crowd.html: not all are shown");

    const list = page.locator(".list").first();
    await list.getByRole("searchbox").fill("no such thing");
    check((await list.locator("tbody tr:visible").count()) === 0, "crowd.html: the violations do not filter");
    await list.getByRole("searchbox").fill("");
    await list.getByRole("link", { name: "20", exact: true }).press("Enter");
    check(await page.locator("#violation-20").evaluate((d) => d.open && d.contains(document.activeElement)), "crowd.html: a number does not lead to its card");
    await page.getByRole("button", { name: "Unfold all" }).click();
    check(await page.locator("details.card:not([open])").count() === 0, "crowd.html: cards do not unfold");
  });
}

// plain is the page without its script: everything is there, and no dead control.
async function plain() {
  await visit("crowd.html", { script: false }, async (page) => {
    check(await page.locator(".hosts tbody tr:visible").count() === 1000, "crowd.html without script: hosts are missing");
    check(await page.locator("button:visible, input:visible, select:visible").count() === 0, "crowd.html without script: there are controls");
    await page.locator("details.card summary").nth(30).click();
    check(await page.locator("#violation-31 .evidence").isVisible(), "crowd.html without script: a card does not unfold");
  });
}

// paper prints with and without the script, filtered or not, and looks at what
// the print has.
async function paper() {
  for (const script of [true, false]) {
    await visit("phases.html", { script }, async (page) => {
      if (script) await page.getByLabel("Filter").nth(1).fill("nothing");
      if (script) await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = false; }));
      await page.emulateMedia({ media: "print" });
      const rows = await page.locator(".hosts tbody tr:visible").count();
      const evidence = await page.locator(".evidence:visible").count();
      const numbers = await page.locator(".chart details table:visible").count();
      const controls = await page.locator("input:visible, select:visible, .unfold:visible").count();
      check(rows === 4 && evidence === 2 && numbers === 2 && controls === 0,
        `phases.html on paper, script ${script}: ${rows} hosts, ${evidence} cards, ${numbers} tables of charts, ${controls} controls`);
      const pdf = await page.pdf({ format: "A4" });
      check(pdf.length > 20_000, `phases.html: a print of ${pdf.length} bytes`);
    });
  }
}

async function measure() {
  const { size } = await stat(join(folder, "crowd.html"));
  await visit("crowd.html", {}, async (page) => {
    const loaded = await page.evaluate(() => {
      const [entry] = performance.getEntriesByType("navigation");
      const [paint] = performance.getEntriesByName("first-contentful-paint");
      return { ready: entry.domContentLoadedEventEnd, loaded: entry.loadEventEnd, paint: paint?.startTime };
    });
    const sort = await page.evaluate(async () => {
      const before = performance.now();
      document.querySelector(".hosts th button").click();
      document.body.offsetHeight;
      return performance.now() - before;
    });
    console.log(`crowd.html (1,000 hosts, 500 violations): ${size} bytes, first paint ${Math.round(loaded.paint)} ms, loaded ${Math.round(loaded.loaded)} ms, sort and layout ${Math.round(sort)} ms`);
    check(loaded.loaded < 3000 && sort < 500, "crowd.html is slow");
  });
}

for (const part of [validate, accessible, inert, usable, plain, paper, measure]) await part();
for (const name of names) await visit(name, {}, async () => {});
check(asked.every((url) => names.includes(url.slice(1))), `the server was asked for ${asked.filter((url) => !names.includes(url.slice(1)))}`);
await browser.close();
server.close();
console.log(failures ? `html: ${failures} failures` : `html: ${names.length} pages hold`);
process.exit(failures ? 1 : 0);
