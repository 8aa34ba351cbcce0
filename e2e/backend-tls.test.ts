import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { TestCa } from "../packages/testkit/src/test-ca.ts";
import { LocalMesh } from "./local-mesh.ts";

const mesh = await LocalMesh.start();
after(() => mesh.close());

const ca = new TestCa();
const { chainPem, keyPem } = ca.leaf(undefined, undefined, { dnsNames: ["backend.internal"] });
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

/** The names that connections asked it for; resumed ones say none. */
const asked = new Set<string>();

async function startBackend(): Promise<number> {
  const server = createServer({ cert: chainPem, key: keyPem }, (_, response) => {
    response.setHeader("connection", "close");
    response.end("backend");
  });
  server.on("secureConnection", ({ servername }: TLSSocket) => {
    if (servername) asked.add(servername);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const policy = (hostname: string, roots: string) => `apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: backend }
spec:
  targetRefs: [{ group: networking.istio.io, kind: ServiceEntry, name: backend, sectionName: http }]
  validation:
    hostname: ${hostname}
    caCertificateRefs: [{ group: "", kind: ConfigMap, name: ${roots} }]
`;

async function applied(yaml: string): Promise<void> {
  const file = join(mesh.state, "mesh.yaml");
  writeFileSync(file, yaml);
  const { code, stderr } = await mesh.weft("apply", "--wait", "-f", file);
  assert.equal(code, 0, stderr);
}

const envoy = findPeer("envoy");

describe("a backend with a BackendTLSPolicy", {
  skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  const callers = new Map([
    ["weft", mesh.addressOf(11)],
    ["envoy", mesh.addressOf(12)],
  ]);

  async function answers(): Promise<readonly string[]> {
    return Promise.all(
      [...callers.values()].map(async (host) => {
        const response = await fetch(`http://${host}:20000/`, { headers: { host: "backend.example:80" } });
        const text = await response.text();
        return response.status === 200 ? text : String(response.status);
      }),
    );
  }

  test("is called by TLS under its name, and not at all where nothing or another name is proved", async () => {
    const port = await startBackend();
    const roots = ca.bundlePem.replace(/^/gm, "    ");
    await applied(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: backend }
spec:
  hosts: [backend.example]
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${port} }]
  endpoints: [{ address: 127.0.0.1 }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: roots }
data:
  ca.crt: |
${roots}
---
${policy("backend.internal", "roots")}`);
    for (const [kind, host] of callers) {
      const proxy = kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : [];
      const own = ["--upstream", `backend.example:80=${host}:20000`, ...proxy];
      const number = Number(host.split(".")[3]);
      await mesh.run(`caller-${kind}`, number, own, [process.execPath, "-e", "setInterval(() => {}, 1000)"]);
    }
    const are = (want: string) => async () => {
      const got = await answers().catch(() => []);
      return got.length === callers.size && got.every((one) => one === want);
    };
    await mesh.until("both call it", are("backend"));
    assert.deepEqual([...asked], ["backend.internal"]);

    const { stdout } = await mesh.weft("get", "backendtlspolicy", "backend", "-o", "yaml");
    assert.match(stdout, /ancestorRef:[\s\S]*name: backend[\s\S]*type: Accepted\n\s+status: "True"/);

    await applied(policy("other.internal", "roots"));
    await mesh.until("another name is not proved", are("503"));
    await applied(policy("backend.internal", "roots"));
    await mesh.until("it is called again", are("backend"));
    await applied(policy("backend.internal", "gone"));
    await mesh.until("nothing verifies it", are("503"));
    const { stdout: list } = await mesh.weft("get", "backendtlspolicy");
    assert.match(list, /backend\b.*NoValidCACertificate/);
  });
});
