import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { jaegerProgram, startJaeger } from "@weft/testkit/jaeger";
import { ApiClient } from "../packages/control/src/api/client.ts";
import { startControlPlane } from "../packages/control/src/control-plane.ts";
import { hasChromium, looks, openDashboard, picture, startBrowser } from "./dashboard/browser.ts";

const skip = !hasChromium ? "Chromium is not installed" : jaegerProgram ? false : "no Jaeger found";
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

/** Four spans of a request through two services, of which the last failed. */
function spansOf(service: string): object {
  const at = (ms: number) => `${1_700_000_000_000 + ms}000000`;
  const span = (
    id: number,
    parent: number,
    kind: number,
    name: string,
    from: number,
    to: number,
    more = {},
  ) => ({
    traceId,
    spanId: String(id).padStart(16, "0"),
    parentSpanId: parent === 0 ? "" : String(parent).padStart(16, "0"),
    name,
    kind,
    startTimeUnixNano: at(from),
    endTimeUnixNano: at(to),
    ...more,
  });
  const attributes = [{ key: "http.status_code", value: { stringValue: "503" } }];
  const spans =
    service === "productpage"
      ? [span(1, 0, 2, "ingress", 0, 48), span(2, 1, 3, "egress reviews", 5, 44)]
      : [
          span(3, 2, 2, "ingress", 9, 40),
          span(4, 3, 3, "egress ratings", 14, 36, { attributes, status: { code: 2 } }),
        ];
  const resource = { attributes: [{ key: "service.name", value: { stringValue: service } }] };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
}

test("a trace is a waterfall beside the call, with the way to Jaeger", { skip }, async (t) => {
  const jaeger = await startJaeger();
  t.after(() => jaeger.close());
  for (const service of ["productpage", "reviews"]) {
    const answer = await fetch(`http://127.0.0.1:${jaeger.httpPort}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(spansOf(service)),
    });
    assert.equal(answer.status, 200);
  }
  const stateDir = mkdtempSync(join(tmpdir(), "weft-dashboard-"));
  const plane = await startControlPlane({
    stateDir,
    trustDomain: "cluster.local",
    address: "127.0.0.1",
    port: 0,
    httpAddress: "127.0.0.1",
    httpPort: 0,
    version: "test",
    log: { info: () => {}, warn: () => {}, error: () => {} },
    dashboard: {
      directory: join(import.meta.dirname, "..", "packages", "cli", "dist", "dashboard"),
      jaegerUrl: jaeger.queryUrl,
    },
  });
  t.after(async () => {
    await plane.close();
    rmSync(stateDir, { recursive: true });
  });
  const browser = await startBrowser();
  t.after(() => browser.close());
  for (const look of looks) {
    const { url } = await new ApiClient({ socketPath: plane.socketPath }).openDashboard();
    const { page, errors } = await openDashboard(browser, url, look);
    await page.evaluate(`location.hash = "#/request?trace=${traceId}"`);
    await page.locator(".span.failed").waitFor();
    assert.equal(await page.locator(".span").count(), 4);
    const link = page.getByRole("link", { name: "The same in Jaeger" });
    assert.equal(await link.getAttribute("href"), `${jaeger.queryUrl}/trace/${traceId}`);
    await picture(page, `full-trace-${look.colours}-${look.width}`);
    assert.deepEqual(errors, []);
    await page.context().close();
  }
});
