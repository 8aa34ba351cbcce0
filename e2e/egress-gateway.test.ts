/**
 * An egress gateway as Istio's task builds one, with either data plane: calls
 * to a host outside go to the gateway by mutual TLS, which alone has what that
 * host asks its clients for.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { TestCa } from "../packages/testkit/src/test-ca.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const kinds = envoy ? (["weft", "envoy"] as const) : (["weft"] as const);
type Kind = (typeof kinds)[number];

const hosts = { caller: 1, egress: { weft: 2, envoy: 3 } } as const;
const upstreamPort = { weft: 20000, envoy: 20001 } as const;
const hostOf = (kind: Kind) => `${kind}.partner.example`;

const theirs = new TestCa();
const ours = theirs.leaf(undefined, undefined, { uris: [], dnsNames: ["us.example.com"] });

function yaml(kind: Kind, port: number): string {
  const host = hostOf(kind);
  const gateway = `egress-${kind}`;
  const service = `${gateway}.default.svc.cluster.local`;
  const base64 = (value: string) => Buffer.from(value).toString("base64");
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${kind} }
spec:
  hosts: [${host}]
  resolution: STATIC
  ports:
    - { number: 80, name: http, protocol: HTTP }
    - { number: 443, name: https, protocol: HTTPS, targetPort: ${port} }
  endpoints: [{ address: 127.0.0.1 }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${gateway} }
spec:
  selector: { istio: ${gateway} }
  servers:
    - port: { number: 80, name: https, protocol: HTTPS }
      hosts: [${host}]
      tls: { mode: ISTIO_MUTUAL }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: to-${gateway} }
spec:
  host: ${service}
  subsets:
    - name: partner
      trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, tls: { mode: ISTIO_MUTUAL, sni: ${host} } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${kind} }
spec:
  hosts: [${host}]
  gateways: [${gateway}, mesh]
  http:
    - match: [{ gateways: [mesh], port: 80 }]
      route: [{ destination: { host: ${service}, subset: partner, port: { number: 80 } } }]
    - match: [{ gateways: [${gateway}], port: 80 }]
      route: [{ destination: { host: ${host}, port: { number: 443 } } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: from-${gateway} }
spec:
  host: ${host}
  trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls: { mode: MUTUAL, credentialName: partner } }] }
---
apiVersion: v1
kind: Secret
metadata: { name: partner }
type: kubernetes.io/tls
data:
  tls.crt: ${base64(ours.chainPem)}
  tls.key: ${base64(ours.keyPem)}
  ca.crt: ${base64(theirs.bundlePem)}
`;
}

describe("an egress gateway", () => {
  let mesh: LocalMesh;
  let partner: Server;

  before(async () => {
    const names = kinds.map(hostOf);
    const { chainPem, keyPem } = theirs.leaf(undefined, undefined, { uris: [], dnsNames: names });
    partner = createServer(
      { cert: chainPem, key: keyPem, ca: theirs.bundlePem, requestCert: true },
      (request, response) => {
        const client = (request.socket as TLSSocket).getPeerCertificate().subjectaltname;
        response.end(JSON.stringify({ client }));
      },
    ).listen(0, "127.0.0.1");
    await once(partner, "listening");
    mesh = await LocalMesh.start();
    const caller = mesh.addressOf(hosts.caller);
    const upstreams = kinds.flatMap((kind) => [
      "--upstream",
      `${hostOf(kind)}:80=${caller}:${upstreamPort[kind]}`,
    ]);
    await mesh.run("caller", hosts.caller, upstreams, [
      process.execPath,
      "-e",
      "setInterval(() => {}, 1000)",
    ]);
    for (const kind of kinds) {
      const flags = kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : [];
      const ports = ["--port", "80:http", "--inbound-port", "80=18080"];
      await mesh.runGateway(`egress-${kind}`, hosts.egress[kind], [...flags, ...ports]);
      const file = join(mesh.state, `${kind}.yaml`);
      writeFileSync(file, yaml(kind, (partner.address() as AddressInfo).port), { mode: 0o600 });
      const { code, stderr } = await mesh.weft("apply", "-f", file);
      assert.equal(code, 0, stderr);
    }
  });
  after(async () => {
    await mesh?.close();
    partner?.close();
  });

  /** As the application calls: by the host's name, which `fetch` would not let it say. */
  async function call(kind: Kind) {
    const headers = { host: hostOf(kind) };
    const sent = request({ host: mesh.addressOf(hosts.caller), port: upstreamPort[kind], headers }).end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    return { status: response.statusCode, text: await text(response) };
  }

  for (const kind of kinds) {
    test(`whose proxy is ${kind} calls out for the mesh, with a certificate that callers do not have`, async () => {
      await mesh.until(
        "the call gets through",
        async () => (await call(kind).catch(() => undefined))?.status === 200,
      );
      const { client } = JSON.parse((await call(kind)).text);
      assert.equal(client, "DNS:us.example.com");
      await mesh.until("the gateway counts it", async () => {
        const page = await fetch(`http://${mesh.addressOf(hosts.egress[kind])}:15090/stats/prometheus`);
        return new RegExp(`istio_requests_total\\{.*destination_service="${hostOf(kind)}"`).test(
          await page.text(),
        );
      });
    });
  }

  test("refuses calls of those who are no members of the mesh", async () => {
    for (const kind of kinds) {
      const address = mesh.addressOf(hosts.egress[kind]);
      await assert.rejects(fetch(`http://${address}:18080/`, { headers: { host: hostOf(kind) } }), kind);
    }
  });
});
