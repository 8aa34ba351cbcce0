import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { barriers, hasChromium, looks, openDashboard, picture, startBrowser } from "./dashboard/browser.ts";
import { startLiveMesh } from "./dashboard/live-mesh.ts";
import { LocalMesh } from "./local-mesh.ts";

const skip = hasChromium ? false : "Chromium is not installed (node tools/peers.ts chromium)";

const pages: readonly (readonly [name: string, hash: string, heading: string])[] = [
  ["overview", "#/overview", "What happened"],
  ["topology", "#/topology", "Topology"],
  ["services", "#/services", "Services"],
  ["security", "#/security", "Who called whom"],
  ["control-plane", "#/control-plane", "Data planes"],
  ["request", "#/request", "What it would do"],
];

let browser: Browser;
let mesh: LocalMesh;
let empty: LocalMesh;
before(async () => {
  if (skip) return;
  browser = await startBrowser();
  empty = await LocalMesh.start();
  mesh = await startLiveMesh();
});
after(async () => {
  await browser?.close();
  await mesh?.close();
  await empty?.close();
});

async function loginOf(of: LocalMesh): Promise<string> {
  return (await of.weft("dashboard", "--no-open")).stdout.trim();
}

async function goTo(page: Page, hash: string): Promise<void> {
  await page.evaluate(
    `if (location.hash !== ${JSON.stringify(hash)}) location.hash = ${JSON.stringify(hash)}`,
  );
}

async function show(page: Page, hash: string, heading: string): Promise<void> {
  await goTo(page, hash);
  await page.getByRole("heading", { name: heading, exact: true, level: 2 }).waitFor();
}

const nameless = `[...document.querySelectorAll("a, button, summary, input, select, svg[role=img], figure > svg")]
  .filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length))
  .map((one) => one.outerHTML.slice(0, 120))`;

for (const look of looks) {
  const how = `${look.colours}, ${look.width} wide`;

  test(`an empty mesh: every page says why it is empty and what to do (${how})`, { skip }, async () => {
    const { page, errors } = await openDashboard(browser, await loginOf(empty), look);
    for (const [name, hash, heading] of pages) {
      await show(page, hash, heading);
      const todo = page.locator(".empty .todo").first();
      await todo.waitFor();
      assert.notEqual(await todo.textContent(), "");
      assert.deepEqual(await page.evaluate(nameless), [], "everything one can use has a name");
      assert.deepEqual(await barriers(page), [], name);
      await picture(page, `empty-${name}-${look.colours}-${look.width}`);
    }
    assert.deepEqual(errors, []);
    await page.context().close();
  });

  test(`a live mesh: nothing on any page stands in the way of a reader (${how})`, { skip }, async () => {
    const { page } = await openDashboard(browser, await loginOf(mesh), look);
    const call = new URLSearchParams({ from: "web", to: "http://reviews:8080/", headers: "end-user: jason" });
    const places: readonly (readonly [hash: string, shown: string])[] = [
      ["#/overview", ".chart .line"],
      ["#/topology", ".graph .edge.good"],
      ["#/services", "td:has-text('refused')"],
      ["#/services/default/reviews", "rect.heat"],
      ["#/services/default/ratings", "tr:has-text('FI'):has-text('mesh.yaml:')"],
      ["#/security", ".certificate .rail"],
      ["#/control-plane?resource=VirtualService/default/checkout", "li.marked.warning"],
      [`#/request?${call}`, ".steps li:has-text('mesh.yaml:')"],
    ];
    for (const [hash, shown] of places) {
      await seen(page, hash, shown);
      assert.deepEqual(await barriers(page), [], hash);
    }
    await page.context().close();
  });

  test(`a live mesh: every page shows it (${how})`, { skip }, async () => {
    const { page, errors } = await openDashboard(browser, await loginOf(mesh), look);
    await seen(page, "#/overview", "a.service-name:has-text('ratings')");
    await seen(page, "#/overview", "td:text-matches('of calls fail')");
    await seen(page, "#/overview", ".chart .line");
    await picture(page, `full-overview-${look.colours}-${look.width}`);
    for (const edge of [
      ".edge.good",
      ".edge.bad",
      ".edge.denied",
      ".edge.tcp",
      ".edge .lock",
      ".node .version",
    ]) {
      await seen(page, "#/topology", `.graph ${edge}`);
    }
    await picture(page, `full-topology-${look.colours}-${look.width}`);
    await seen(page, "#/services", "td:has-text('refused')");
    await picture(page, `full-services-${look.colours}-${look.width}`);
    await seen(
      page,
      "#/services/default/reviews",
      "svg[aria-label*='v1 gets'][aria-label*='of configured 80 %']",
    );
    await seen(page, "#/services/default/reviews", "svg:has(rect.heat) .mark");
    await seen(page, "#/services/default/reviews", "td:has-text('end-user = jason')");
    await picture(page, `full-service-${look.colours}-${look.width}`);
    await seen(page, "#/services/default/ratings", "tr:has-text('an injected abort'):has-text('mesh.yaml:')");
    const failing = "tr:has-text('FI'):has-text('route default'):has-text('mesh.yaml:')";
    await seen(page, "#/services/default/ratings", failing);
    await picture(page, `full-failing-${look.colours}-${look.width}`);
    await page.locator(`${failing} a`).first().click();
    await page.getByRole("heading", { name: "What it came to, and why" }).waitFor();
    await page.getByText("The configuration is that of then").first().waitFor();
    await page.locator("li:has-text('fault_filter_abort'):has-text('mesh.yaml:')").first().waitFor();
    await picture(page, `full-observed-${look.colours}-${look.width}`);
    await seen(page, "#/security", "td[title*='stranger → details'][title*='refused']");
    await seen(page, "#/security", ".certificate .rail");
    await picture(page, `full-security-${look.colours}-${look.width}`);
    const config = "#/control-plane?resource=VirtualService/default/checkout";
    await seen(page, config, ".state.synced");
    await seen(page, config, "li.marked.warning:has-text('checkout')");
    assert.deepEqual(await page.evaluate(nameless), []);
    await picture(page, `full-control-plane-${look.colours}-${look.width}`);
    const call = new URLSearchParams({ from: "web", to: "http://reviews:8080/", headers: "end-user: jason" });
    await seen(page, `#/request?${call}`, ".steps li:has-text('mesh.yaml:')");
    await picture(page, `full-request-${look.colours}-${look.width}`);
    assert.deepEqual(errors, []);
    await page.context().close();
  });
}

/** Goes there and waits until something of that kind is drawn. */
async function seen(page: Page, hash: string, selector: string): Promise<void> {
  await goTo(page, hash);
  await page.locator(selector).first().waitFor({ state: "attached", timeout: 60_000 });
}

test("the keyboard is enough, and the address holds where one is", { skip }, async () => {
  const { page } = await openDashboard(browser, await loginOf(mesh), looks[0]!);
  await seen(page, "#/topology", ".node");
  await page.locator("a.node", { hasText: "reviews" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(`location.hash.includes("focus=default%2Freviews")`);
  await page.reload();
  await page.locator("a.node.focus", { hasText: "reviews" }).waitFor();
  await page.getByRole("link", { name: "open", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "reviews default" }).waitFor();
  const chart = page.locator("figure.chart svg").first();
  await chart.focus();
  const before = await chart.getAttribute("aria-label");
  await page.keyboard.press("PageUp");
  await page.waitForFunction(
    `document.activeElement.getAttribute("aria-label") !== ${JSON.stringify(before)}`,
  );
  await page.context().close();
});

test("every panel names a command that there is", { skip }, async () => {
  const { page } = await openDashboard(browser, await loginOf(mesh), looks[0]!);
  const commands = new Set<string>();
  for (const [, hash, heading] of [...pages, ["", "#/services/default/reviews", "Routes"] as const]) {
    await show(page, hash, heading);
    const panels = page.locator(".panel");
    const texts = await page.locator(".panel .elsewhere-card code:first-of-type").allTextContents();
    assert.ok(texts.length >= (await panels.count()), `${hash}: every panel has one`);
    for (const text of texts) if (text.startsWith("weft ")) commands.add(text.split(" ")[1]!);
  }
  assert.ok(commands.size > 4);
  for (const command of commands) assert.equal((await mesh.weft(command, "--help")).code, 0, command);
  await page.context().close();
});

test("a page of a control plane that went away says so, and keeps what it knew", { skip }, async () => {
  const { page } = await openDashboard(browser, await loginOf(empty), looks[0]!);
  await page.locator(".freshness.live").waitFor();
  await empty.killControlPlane();
  await page.locator(".freshness.stale", { hasText: "away" }).waitFor();
  await page.locator(".tiles").waitFor();
  await page.context().close();
});
