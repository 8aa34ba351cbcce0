/** TLS of one's own at a workload, for callers outside the mesh, by either data plane. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { get as getPlain } from "node:http";
import { get } from "node:https";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { RevokingCa } from "../packages/testkit/src/revoking-ca.ts";
import { LocalMesh } from "./local-mesh.ts";

const mesh = await LocalMesh.start();
after(() => mesh.close());

const name = "web.example";
const ca = new RevokingCa(join(mesh.state, "own"), [name]);
const envoy = findPeer("envoy");
const kinds = ["weft", "envoy"] as const;
const flagsOf = { weft: [], envoy: ["--proxy", "envoy", "--envoy-path", envoy ?? ""] } as const;
const [appPort, sidecarPort] = [9080, 19080];

const sidecar = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: edge }
spec:
  workloadSelector: { labels: { tier: edge } }
  ingress:
    - port: { number: ${appPort}, protocol: HTTPS, name: https }
      tls: { mode: SIMPLE, serverCertificate: ${ca.file(`${name}.pem`)}, privateKey: ${ca.file(`${name}.key`)} }
---
`;
const takes = (mode: string) => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: edge }
spec: { selector: { matchLabels: { tier: edge } }, mtls: { mode: ${mode} } }
`;

/** The status, or `refused`. */
function call(asked: typeof get, host: string): Promise<string> {
  const to = { host, port: sidecarPort, path: "/", agent: false };
  return new Promise((resolve) => {
    asked({ ...to, servername: name, ca: readFileSync(ca.file("ca.pem")) }, (response) => {
      response.setEncoding("utf8").on("data", resolve);
    }).on("error", () => resolve("refused"));
  });
}

describe("an ingress listener with TLS of its own", { skip: envoy ? false : "no envoy" }, () => {
  const hosts = kinds.map((_, i) => mesh.addressOf(11 + i));

  test("answers callers outside the mesh by its certificate and nobody without TLS, where members need none", async () => {
    const apply = async (yaml: string) => {
      const file = join(mesh.state, "mesh.yaml");
      writeFileSync(file, yaml);
      const { code, stderr } = await mesh.weft("apply", "--wait", "-f", file);
      assert.equal(code, 0, stderr);
    };
    await apply(sidecar + takes("DISABLE"));
    for (const [i, kind] of kinds.entries()) {
      const app = `require("http").createServer((_, response) => response.end("app")).listen(${appPort}, "${hosts[i]}")`;
      const ports = ["--port", `${appPort}:http`, "--inbound-port", `${appPort}=${sidecarPort}`];
      const flags = ["--label", "tier=edge", ...ports, ...flagsOf[kind]];
      await mesh.run(`web-${kind}`, 11 + i, flags, [process.execPath, "-e", app]);
    }
    const answers = async (asked: typeof get) =>
      (await Promise.all(hosts.map((host) => call(asked, host)))).join();
    await mesh.until("both answer by TLS", async () => (await answers(get)) === "app,app");
    assert.equal(await answers(getPlain as typeof get), "refused,refused");

    await apply(takes("PERMISSIVE"));
    assert.equal(await answers(get), "app,app");
    assert.equal(await answers(getPlain as typeof get), "refused,refused");

    await apply(takes("STRICT"));
    await mesh.until("members only", async () => (await answers(get)) === "refused,refused");
  });
});
