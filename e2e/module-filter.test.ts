/** A user's filter in the proxy as it is published: the thread's program is where the bundle looks for it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../packages/testkit/src/until.ts";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";

const root = join(import.meta.dirname, "..");

function ask(socketPath: string, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: "/", headers: { host }, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(`${response.statusCode} ${response.headers.vary}`));
    });
    // Not up yet.
    call.on("error", () => resolve(undefined));
    call.end();
  });
}

test("the bundled proxy runs a module", async () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-module-"));
  const socketPath = join(directory, "listener");
  const config = join(directory, "bootstrap.yaml");
  writeFileSync(
    config,
    `
static_resources:
  listeners:
  - name: main
    address: { pipe: { path: ${socketPath} } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: test
          route_config:
            virtual_hosts: [{ name: v, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 202 } }] }]
          http_filters:
          - name: tenants
            typed_config:
              "@type": type.googleapis.com/weft.filters.http.module.v1.ModuleFilter
              module: ${join(root, "packages/proxy/examples/tenant-filter.ts")}
              config: { tenants: { acme: gold } }
              phases: [REQUEST, RESPONSE]
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
`,
  );
  const weft = spawn(weftProgram, ["proxy", "-c", config], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const over = once(weft, "exit");
  try {
    let answer: string | undefined;
    await until("it answers", async () => {
      answer = await ask(socketPath, "acme.example");
      return answer !== undefined;
    });
    assert.equal(answer, "202 host");
    assert.equal(await ask(socketPath, "other.example"), "404 undefined");
  } finally {
    weft.kill("SIGTERM");
    await over;
    rmSync(directory, { recursive: true });
  }
});
