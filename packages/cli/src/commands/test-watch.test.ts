import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
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

/** What `weft test FOLDER --watch` says, line by line. */
function watching(t: TestContext, folder: string) {
  const child = spawn(weftProgram, ["test", folder, "--watch"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const lines: string[] = [];
  const waiting = new Map<string, () => void>();
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines.push(line);
    waiting.get(line)?.();
  });
  return {
    child,
    lines,
    line: (wanted: string) =>
      new Promise<void>((resolve) => {
        if (lines.includes(wanted)) resolve();
        else waiting.set(wanted, resolve);
      }),
    next: (wanted: string) => new Promise<void>((resolve) => waiting.set(wanted, resolve)),
  };
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "weft-watch-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("--watch runs the tests again when the mesh beside them changes, for as long as it is not ended", {
  timeout: 120_000,
}, async (t) => {
  const folder = newFolder(t);
  const write = (timeout: string) => writeFileSync(join(folder, "mesh.yaml"), mesh(timeout));
  write("2s");
  writeFileSync(join(folder, "a.test.yaml"), suite);
  const { child, lines, line, next } = watching(t, folder);
  await line("weft: 1 of 1 passed");
  for (const [timeout, expected] of [
    ["3s", "weft: 0 of 1 passed"],
    ["2s", "weft: 1 of 1 passed"],
  ] as const) {
    const said = next(expected);
    write(timeout);
    await said;
  }
  assert.equal(child.exitCode, null, `a test that fails does not end it: ${lines.join("\n")}`);
});

test("--watch sees what changes while the tests run for the first time", { timeout: 120_000 }, async (t) => {
  const [folder, elsewhere] = [newFolder(t), newFolder(t)];
  const [file, marker] = [join(folder, "mesh.yaml"), join(elsewhere, "changed")];
  writeFileSync(file, mesh("3s"));
  writeFileSync(join(folder, "a.test.yaml"), suite);
  const changes = `import { existsSync, writeFileSync } from "node:fs";
    export default [{ name: "changes the mesh", run() {
      if (existsSync(${JSON.stringify(marker)})) return;
      writeFileSync(${JSON.stringify(marker)}, "");
      writeFileSync(${JSON.stringify(file)}, ${JSON.stringify(mesh("2s"))});
    } }];`;
  writeFileSync(join(folder, "b.test.mjs"), changes);
  const { line } = watching(t, folder);
  await line("weft: 1 of 2 passed");
  await line("weft: 2 of 2 passed");
});
