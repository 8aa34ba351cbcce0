import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ApiClient } from "../api/client.ts";
import { type ControlPlane, startControlPlane } from "../control-plane.ts";
import { until } from "../test-running-mesh.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };

/** An issuer of tokens on the loopback address. */
async function issuer(t: TestContext) {
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  const state = { asked: 0, isUp: true };
  const server = createServer((_, response) => {
    state.asked += 1;
    response.statusCode = state.isUp ? 200 : 503;
    response.end(JSON.stringify({ keys: [key] }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  return { state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` };
}

async function plane(t: TestContext, allowed: readonly string[], stateDir = directory(t)) {
  const started: ControlPlane = await startControlPlane({
    stateDir,
    trustDomain: "cluster.local",
    address: "127.0.0.1",
    port: 0,
    httpAddress: "127.0.0.1",
    httpPort: 0,
    version: "test",
    log: silent,
    jwks: { allowed },
  });
  t.after(() => started.close());
  return { started, stateDir, api: new ApiClient({ socketPath: started.socketPath }) };
}

function directory(t: TestContext): string {
  const stateDir = mkdtempSync(join(tmpdir(), "weft-keys-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  return stateDir;
}

function users(url: string) {
  const text = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: users }
spec: { jwtRules: [{ issuer: me, jwksUri: "${url}" }] }
`;
  return { files: [{ name: "users.yaml", text }] };
}

test("keys are fetched when a policy names them, and before a start serves anybody", async (t) => {
  const { state, url } = await issuer(t);
  const first = await plane(t, ["127.0.0.1"]);
  await first.api.apply(users(url));
  await until(() => state.asked === 1);
  await until(async () => (await first.api.status()).diagnostics.length === 0);
  await first.started.close();
  const again = await plane(t, ["127.0.0.1"], first.stateDir);
  assert.equal(state.asked, 2);
  assert.deepEqual((await again.api.status()).diagnostics, []);
});

test("keys of an address that was not allowed are never asked for, and status says so at the line", async (t) => {
  const { state, url } = await issuer(t);
  const { api } = await plane(t, []);
  await api.apply(users(url));
  await until(async () => (await api.status()).diagnostics.length > 0);
  const [found] = (await api.status()).diagnostics;
  assert.match(
    found!.message,
    /127\.0\.0\.1 is not a public address; allow it with --jwks-allow: every token of me/,
  );
  assert.deepEqual([found!.code, found!.origin?.file, found!.origin?.line], ["W2112", "users.yaml", 4]);
  assert.equal(state.asked, 0);
});
