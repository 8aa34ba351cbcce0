/** The picture of a rollout under real calls: its steps, what the new version gets against what it should, and how it ends. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { hasChromium, looks, openDashboard, picture, startBrowser } from "./dashboard/browser.ts";
import { RolloutMesh } from "./rollout/rollout-mesh.ts";

const skip = hasChromium ? false : "Chromium is not installed (node tools/peers.ts chromium)";

let browser: Browser;
let mesh: RolloutMesh;
before(async () => {
  if (skip) return;
  browser = await startBrowser();
  mesh = await RolloutMesh.start(undefined);
});
after(async () => {
  await browser?.close();
  await mesh?.close();
});

const login = async () => (await mesh.mesh.weft("dashboard", "--no-open")).stdout.trim();
const flags = ["--steps", "20,100", "--interval", "10m", "--no-wait", "-o", "json"];

test("a rollout is drawn with what it should get, what it gets, and what it is judged by", {
  skip,
}, async () => {
  const begun = await mesh.mesh.weft("rollout", "api", "--to", "v3", ...flags);
  assert.equal(begun.code, 0, begun.stderr);
  for (const look of looks.filter(({ colours, width }) => (colours === "light") === (width === 1440))) {
    const { page, errors } = await openDashboard(browser, await login(), look);
    await page.goto(`${page.url().split("#")[0]}#/services/default/api`);
    const drawn = page.locator(".rollout svg[aria-label*='step 1 of 2, should get 20 %, gets']");
    await drawn.waitFor({ timeout: 60_000 });
    assert.equal(await page.locator(".rollout .step.now").count(), 1);
    assert.equal(await page.locator(".rollout .step.next").count(), 1);
    const success = page.getByRole("row", { name: /success .*≥ 99 %/ });
    await success.waitFor();
    await page.locator(".panel[aria-label=Rollout] .events .kind", { hasText: "step" }).waitFor();
    const marks = page.locator(".chart .mark title", { hasText: "rollout: default/api: " });
    await marks.first().waitFor({ state: "attached", timeout: 60_000 });
    await picture(page, `rollout-${look.colours}-${look.width}`);
    await page.evaluate(`location.hash = "#/services"`);
    const row = page.getByRole("row", { name: /api default v1 → v3 Progressing 1 of 2 20 %/ });
    await row.waitFor();
    assert.deepEqual(errors, []);
    await page.context().close();
  }
});

test("one that has ended says how, and why", { skip }, async () => {
  const { page, errors } = await openDashboard(browser, await login(), looks[0]!);
  await page.goto(`${page.url().split("#")[0]}#/services/default/api`);
  await page.locator(".rollout").waitFor();
  assert.equal((await mesh.mesh.weft("rollout", "abort", "api")).code, 0);
  await page.locator(".outcome.bad", { hasText: "an operator aborted it" }).waitFor({ timeout: 60_000 });
  await page.locator(".rollout .step.back").first().waitFor({ state: "attached" });
  await picture(page, "rollout-aborted");
  assert.deepEqual(errors, []);
  await page.context().close();
});
