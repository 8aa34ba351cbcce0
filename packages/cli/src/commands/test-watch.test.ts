import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { weftProgram } from "@weft/testkit/weft-program";

const mesh = (timeout: string) => `apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: productpage }
spec: { template: { metadata: { labels: { app: productpage } } } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ timeout: ${timeout}, route: [{ destination: { host: reviews } }] }] }
`;
const suite = `tests:
  - { from: productpage, to: "http://reviews:9080/", expect: { timeout: 2s } }
`;

test("--watch runs the tests again when the mesh beside them changes, for as long as it is not ended", {
  timeout: 60_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weft-watch-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (timeout: string) => writeFileSync(join(folder, "mesh.yaml"), mesh(timeout));
  write("2s");
  writeFileSync(join(folder, "a.test.yaml"), suite);
  const child = spawn(weftProgram, ["test", folder, "--watch"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const verdicts: string[] = [];
  const waiting = new Map<string, () => void>();
  createInterface({ input: child.stderr }).on("line", (line) => {
    verdicts.push(line);
    waiting.get(line)?.();
  });
  const verdict = (line: string) => new Promise<void>((resolve) => waiting.set(line, resolve));
  await verdict("weft: 1 of 1 passed");
  let timer: NodeJS.Timeout | undefined;
  t.after(() => clearInterval(timer));
  for (const [timeout, expected] of [
    ["3s", "weft: 0 of 1 passed"],
    ["2s", "weft: 1 of 1 passed"],
  ] as const) {
    const said = verdict(expected);
    // Again and again: nobody says since when changes are seen.
    timer = setInterval(() => write(timeout), 300);
    await said;
    clearInterval(timer);
  }
  assert.equal(child.exitCode, null, `a test that fails does not end it: ${verdicts.join("\n")}`);
});
