/** Revocation lists as openssl writes them: what they name is refused by either data plane, from both ends. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { RevokingCa } from "../packages/testkit/src/revoking-ca.ts";
import { LocalMesh } from "./local-mesh.ts";

const mesh = await LocalMesh.start();
const servers: Server[] = [];
after(async () => {
  for (const server of servers) server.close();
  await mesh.close();
});

const good = "good.example";
const revoked = "revoked.example";
const names = [good, revoked] as const;
const ca = new RevokingCa(join(mesh.state, "partner"), names);
const clean = readFileSync(ca.file("ca.crl"), "utf8");
ca.revoke(revoked);
writeFileSync(ca.file("clean.crl"), clean);

const envoy = findPeer("envoy");
const kinds = ["weft", "envoy"] as const;
const flagsOf = { weft: [], envoy: ["--proxy", "envoy", "--envoy-path", envoy ?? ""] } as const;

async function applied(yaml: string): Promise<void> {
  const file = join(mesh.state, "mesh.yaml");
  writeFileSync(file, yaml);
  const { code, stderr } = await mesh.weft("apply", "--wait", "-f", file);
  assert.equal(code, 0, stderr);
}

async function startBackend(name: string): Promise<number> {
  const cert = readFileSync(ca.file(`${name}.pem`));
  const server = createServer({ cert, key: readFileSync(ca.file(`${name}.key`)) }, (_, response) => {
    response.setHeader("connection", "close");
    response.end("backend");
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const entry = (name: string, port: number) => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}]
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${port} }]
  endpoints: [{ address: 127.0.0.1 }]
---
`;
const rule = (name: string, list: string) => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec:
  host: ${name}
  trafficPolicy: { tls: { mode: SIMPLE, caCertificates: ${ca.file("ca.pem")}, caCrl: ${ca.file(list)} } }
---
`;
const gateway = (list: string) => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { edge: "yes" }
  servers:
    - port: { number: 8443, name: https, protocol: HTTPS }
      hosts: ["*"]
      tls:
        mode: MUTUAL
        serverCertificate: ${ca.file(`${good}.pem`)}
        privateKey: ${ca.file(`${good}.key`)}
        caCertificates: ${ca.file("ca.pem")}
        caCrl: ${ca.file(list)}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge }
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{ directResponse: { status: 204 } }]
`;

describe("a revoked certificate", { skip: envoy ? false : "no envoy" }, () => {
  test("of a server outside the mesh is refused, and no other one of its authority", async () => {
    const hosts = new Map(kinds.map((kind, i) => [kind, mesh.addressOf(11 + i)]));
    const ports = [await startBackend(good), await startBackend(revoked)];
    await applied(names.map((name, i) => entry(name, ports[i]!) + rule(name, "clean.crl")).join(""));
    for (const [i, kind] of kinds.entries()) {
      const upstreams = names.flatMap((name, n) => ["--upstream", `${name}:80=${hosts.get(kind)}:2000${n}`]);
      const app = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
      await mesh.run(`caller-${kind}`, 11 + i, [...upstreams, ...flagsOf[kind]], app);
    }
    const answer = async (host: string, n: number) => {
      const response = await fetch(`http://${host}:2000${n}/`, { headers: { host: `${names[n]}:80` } });
      await response.text();
      return response.status;
    };
    const answers = async () =>
      (await Promise.all([...hosts.values()].flatMap((host) => [answer(host, 0), answer(host, 1)]))).join();
    const are = (want: string) => async () => (await answers().catch(() => "")) === want;
    await mesh.until("all are called while none is revoked", are("200,200,200,200"));
    await applied(names.map((name) => rule(name, "ca.crl")).join(""));
    await mesh.until("the revoked one is refused", are("200,503,200,503"));
  });

  test("of a client is refused by a gateway, and no other one of its authority", async () => {
    const hosts = new Map(kinds.map((kind, i) => [kind, mesh.addressOf(21 + i)]));
    await applied(gateway("clean.crl"));
    for (const [i, kind] of kinds.entries()) {
      await mesh.runGateway(`edge-${kind}`, 21 + i, ["--label", "edge=yes", ...flagsOf[kind]]);
    }
    const call = (host: string, name: string) =>
      new Promise<number | string>((resolve) => {
        const own = { cert: readFileSync(ca.file(`${name}.pem`)), key: readFileSync(ca.file(`${name}.key`)) };
        const to = { host, port: 8443, servername: good, ca: readFileSync(ca.file("ca.pem")), agent: false };
        const asked = request({ ...to, ...own }, (response) => resolve(response.resume().statusCode ?? 0));
        asked.on("error", () => resolve("refused"));
        asked.end();
      });
    const are = (want: string) => async () => {
      const calls = [...hosts.values()].flatMap((host) => names.map((name) => call(host, name)));
      return (await Promise.all(calls)).join() === want;
    };
    await mesh.until("all are let in while none is revoked", are("204,204,204,204"));
    await applied(gateway("ca.crl"));
    await mesh.until("the revoked one is refused", are("204,refused,204,refused"));
  });
});
