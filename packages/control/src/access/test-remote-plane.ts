import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type RequestOptions, request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { TestCa, type TestSvid } from "@weft/testkit/test-ca";
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from "jose";
import { ApiClient } from "../api/client.ts";
import { callJson, type JsonAnswer } from "../api/test-call-json.ts";
import { startControlPlane } from "../control-plane.ts";

export interface TokenClaims {
  readonly iss?: string;
  readonly aud?: string;
  readonly sub?: string;
  readonly exp?: number;
  readonly [claim: string]: unknown;
}

/** A control plane whose API is open to operators of a test authority and a test issuer, and to identities of the mesh. */
export async function remotePlane(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-remote-"));
  const ca = new TestCa({ trustDomain: "ops.example" });
  const issuer = await openIssuer(t);
  writeFileSync(join(directory, "ops.pem"), ca.bundlePem);
  const users = join(directory, "users.yaml");
  writeFileSync(
    users,
    `hosts: [mesh.example]
certificates:
  ca: ops.pem
  roles:
    - { role: read, names: ["spiffe://ops.example/ns/ops/*"] }
    - { role: write, names: ["spiffe://ops.example/ns/ops/sa/walter"] }
    - { role: admin, names: ["spiffe://ops.example/ns/ops/sa/ada"] }
mesh:
  roles: [{ role: read, names: ["spiffe://cluster.local/ns/default/sa/deployer"] }]
tokens:
  - issuer: ${issuer.url}
    audience: weft
    jwksUri: ${issuer.url}/keys
    name: email
    roles:
      - { role: read, claim: groups, values: [viewers] }
      - { role: admin, claim: groups, values: [admins] }
`,
  );
  const built = join(directory, "built");
  const plane = await startControlPlane({
    stateDir: join(directory, "state"),
    dashboard: { directory: built },
    trustDomain: "cluster.local",
    address: "127.0.0.1",
    port: 0,
    httpAddress: "127.0.0.1",
    httpPort: 0,
    remoteApi: { host: "127.0.0.1", port: 0, usersFile: users },
    jwks: { allowed: ["127.0.0.0/8"] },
    version: "test",
    log: { info: () => {}, warn: () => {}, error: (_, message) => assert.fail(message) },
  });
  t.after(async () => {
    await plane.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const api = new ApiClient({ socketPath: plane.socketPath });
  const port = plane.apiPort!;
  const { bundlePem } = await api.caStatus();
  const to = { protocol: "https:", host: "127.0.0.1", port, ca: bundlePem, servername: "localhost" } as const;
  const shown = ({ keyPem, chainPem }: TestSvid) => ({ key: keyPem, cert: chainPem });
  return {
    directory,
    plane,
    api,
    ca,
    issuer,
    port,
    bundlePem,
    to,
    shown,
    /** One request, with these TLS options and headers. */
    ask: (
      method: string,
      path: string,
      options: {
        readonly tls?: RequestOptions & object;
        readonly headers?: Record<string, string>;
        readonly body?: unknown;
      } = {},
    ): Promise<JsonAnswer> =>
      callJson({ ...to, ...options.tls }, method, path, {
        body: options.body,
        headers: options.headers ?? {},
      }),
    /** The status alone, of answers that may never end. */
    statusOf: (method: string, path: string, tls: object, headers: Record<string, string> = {}) =>
      statusOf({ ...to, ...tls, method, path, headers }),
  };
}

function statusOf(options: RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, agent: false }, (response) => {
      resolve(response.statusCode!);
      response.destroy();
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function openIssuer(t: TestContext) {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256", use: "sig" };
  const server = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: [jwk] }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const nowSeconds = Math.floor(Date.now() / 1000);
  const sign = (claims: TokenClaims = {}, key: CryptoKey = privateKey, kid = "k1"): Promise<string> =>
    new SignJWT({
      iss: url,
      aud: "weft",
      sub: "u1",
      email: "alice@example.com",
      groups: ["viewers"],
      exp: nowSeconds + 600,
      ...claims,
    })
      .setProtectedHeader({ alg: "ES256", kid })
      .sign(key);
  return { url, publicKey, jwk, sign, nowSeconds };
}
