/**
 * Calls that leave the mesh, or that name one instance of a service, captured
 * and carried by either data plane: what a caller gets, and what is counted and
 * logged of it under the names that Istio's users know.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parsePrometheusText } from "../packages/agent/src/metrics/parse-prometheus-text.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { CapturedMesh, noCapture } from "./captured-mesh.ts";

const envoy = findPeer("envoy");
const kinds = envoy ? (["weft", "envoy"] as const) : (["weft"] as const);
type Kind = (typeof kinds)[number];

const nameServer = "10.96.9.53";
const partner = "10.96.9.1";
/** In a range of addresses that is a ServiceEntry's. */
const ranged = "10.96.9.17";
/** Of no service. */
const stranger = "10.96.9.2";
const callerAddress = { weft: "10.96.1.1", envoy: "10.96.1.2" } as const;
const peerAddress = { weft: "10.96.2.1", envoy: "10.96.2.2" } as const;
const flagsOf = (kind: Kind) => (kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : []);

const idle = "setInterval(() => {}, 1000)";
const peer = (kind: Kind) => `
  require("http").createServer((_, response) => response.end("peer ${kind}")).listen(8080, "127.0.0.1");
  require("net").createServer((socket) => socket.on("error", () => {}).end("peer ${kind}")).listen(7000, "127.0.0.1");
`;

const yaml = `
apiVersion: v1
kind: Service
metadata: { name: payments }
spec:
  type: ExternalName
  externalName: api.partner.example
  ports: [{ name: http, port: 8080 }, { name: tcp, port: 7000 }]
---
apiVersion: v1
kind: Service
metadata: { name: peers }
spec:
  clusterIP: None
  selector: { app: peers }
  ports: [{ name: http, port: 8080 }, { name: tcp, port: 7000 }]
---
apiVersion: v1
kind: Service
metadata: { name: friends }
spec: { type: ExternalName, externalName: peers.default.svc.cluster.local }
---
apiVersion: v1
kind: Service
metadata: { name: shelf }
spec: { clusterIP: None, ports: [{ name: http, port: 8080 }, { name: tcp, port: 7000 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: shelf }
subsets:
  - addresses: [{ ip: ${partner}, hostname: one }]
    ports: [{ name: http, port: 8080 }, { name: tcp, port: 7000 }]
`;

const range = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: range }
spec:
  hosts: [range.example]
  addresses: [10.96.9.16/28]
  ports: [{ number: 7000, name: tcp, protocol: TCP }, { number: 8080, name: tcp-8080, protocol: TCP }]
  resolution: NONE
`;

/** Two places of a Service without a selector, one of which is never ready. */
const archive = (isReady: boolean) => `
apiVersion: v1
kind: Service
metadata: { name: archive }
spec: { ports: [{ name: http, port: 80 }, { name: tcp, port: 9000 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: archive-1, labels: { kubernetes.io/service-name: archive } }
addressType: IPv4
ports: [{ name: http, port: 8080 }, { name: tcp, port: 7000 }]
endpoints:
  - { addresses: [${partner}], conditions: { ready: ${isReady} } }
  - { addresses: [10.96.9.99], conditions: { ready: false } }
`;

const allowed = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec:
  egress: [{ hosts: ["./*"] }]
  outboundTrafficPolicy: { mode: ALLOW_ANY }
`;

describe("calls out of the mesh, and to one instance", { skip: noCapture }, () => {
  let mesh: CapturedMesh;

  before(async () => {
    const planeFlags = (state: string) => {
      const file = join(state, "mesh-config.yaml");
      writeFileSync(file, "outboundTrafficPolicy: { mode: REGISTRY_ONLY }\n");
      return ["--mesh-config", file];
    };
    mesh = await CapturedMesh.start({
      name: "outside",
      outside: [nameServer, partner, ranged, stranger],
      nameServer,
      planeFlags,
    });
    const world = [process.execPath, join(import.meta.dirname, "world-outside.ts")];
    mesh.spawn("hub", [
      ...world,
      nameServer,
      `api.partner.example=${partner}`,
      `stranger.example=${stranger}`,
      `ranged.example=${ranged}`,
    ]);
    await mesh.apply("mesh", yaml);
    await mesh.apply("archive", archive(true));
    await mesh.apply("range", range);
    for (const kind of kinds) {
      const ports = ["--name", "peers", "--version", kind, "--port", "8080:http", "--port", "7000:tcp"];
      await mesh.run(
        `peer-${kind}`,
        peerAddress[kind],
        [...ports, "--access-log", "none", ...flagsOf(kind)],
        peer(kind),
      );
      const log = ["--access-log", logOf(kind)];
      await mesh.run(
        `caller-${kind}`,
        callerAddress[kind],
        ["--name", `caller-${kind}`, ...log, ...flagsOf(kind)],
        idle,
      );
    }
    for (const kind of kinds) {
      for (const other of kinds) {
        await mesh.until(`${kind} calls the peer at ${other}`, async () => {
          const answer = await curl(kind, "-H", "host: peers", `http://${peerAddress[other]}:8080/`);
          return answer === `peer ${other} 200`;
        });
      }
    }
  });
  after(() => mesh?.close());

  const logOf = (kind: Kind) => join(mesh.state, `caller-${kind}.log`);

  /** The body and status of a call of the caller's application, or how curl ended. */
  async function curl(kind: Kind, ...args: readonly string[]): Promise<string> {
    const command = ["curl", "-gsSk", "-m", "10", "-w", " %{http_code}", ...args];
    const { code, stdout, stderr } = await mesh.beside(`caller-${kind}`, command);
    return code === 0 ? stdout : `curl ended with ${code}: ${stderr}`;
  }

  /** What arrives over a connection before the other side ends it. */
  async function bytes(kind: Kind, host: string, port: number): Promise<string> {
    const script = `let all = ""; const socket = require("net").connect(${port}, "${host}");
      socket.on("error", () => {}).on("data", (chunk) => { all += chunk; }).on("close", () => process.stdout.write(all));
      setTimeout(() => socket.destroy(), 20_000).unref();`;
    const { stdout } = await mesh.beside(`caller-${kind}`, [process.execPath, "-e", script]);
    return stdout;
  }

  /** The labels of all that the caller counted in a metric. */
  async function counted(kind: Kind, name: string): Promise<readonly Readonly<Record<string, string>>[]> {
    const url = `http://${callerAddress[kind]}:15090/stats/prometheus`;
    const { stdout } = await mesh.beside("hub", ["curl", "-sS", "-m", "10", url]);
    const families = parsePrometheusText(stdout, (one) => one === name);
    return families.flatMap(({ series }) => series.map(({ labels }) => labels));
  }

  async function untilCounted(
    kind: Kind,
    name: string,
    wanted: Readonly<Record<string, string>>,
  ): Promise<void> {
    const entries = Object.entries({ reporter: "source", ...wanted });
    let all: Awaited<ReturnType<typeof counted>> = [];
    await mesh.until(
      `${kind} counts ${name} of ${JSON.stringify(wanted)}`,
      async () => {
        all = await counted(kind, name);
        return all.some((labels) => entries.every(([label, value]) => labels[label] === value));
      },
      () => JSON.stringify(all, undefined, 1),
    );
  }

  async function untilLogged(kind: Kind, pattern: RegExp): Promise<void> {
    const log = () => readFileSync(logOf(kind), "utf8");
    await mesh.until(`${kind} logs ${pattern}`, () => pattern.test(log()), log);
  }

  for (const kind of kinds) {
    test(`${kind}: an ExternalName Service leads where DNS says, by HTTP and TCP, under its own name`, async () => {
      await mesh.until("requests arrive", async () =>
        (await curl(kind, "http://payments:8080/")).endsWith(" 200"),
      );
      assert.equal(await curl(kind, "http://payments:8080/"), `payments:8080 at ${partner} 200`);
      assert.equal(await bytes(kind, "payments.default.svc.cluster.local", 7000), `bytes at ${partner}`);
      const service = {
        destination_service: "payments.default.svc.cluster.local",
        destination_service_name: "payments",
      };
      await untilCounted(kind, "istio_requests_total", { ...service, response_code: "200" });
      await untilCounted(kind, "istio_tcp_connections_opened_total", service);
    });

    test(`${kind}: an ExternalName Service is a further name of a service of the mesh, with its identities`, async () => {
      await mesh.until("requests arrive", async () =>
        (await curl(kind, "http://friends:8080/")).endsWith(" 200"),
      );
      const principal = /^spiffe:\/\/cluster.local\/ns\/default\/sa\/peer-/;
      for (const other of kinds) {
        assert.match(`spiffe://cluster.local/ns/default/sa/peer-${other}`, principal);
        const to = ["--resolve", `friends:8080:${peerAddress[other]}`, "http://friends:8080/"];
        assert.equal(await curl(kind, ...to), `peer ${other} 200`);
        await untilCounted(kind, "istio_requests_total", {
          destination_service_name: "friends",
          destination_principal: `spiffe://cluster.local/ns/default/sa/peer-${other}`,
        });
      }
    });

    test(`${kind}: a headless service is its instances: its name is their addresses, and each address one of them`, async () => {
      const { stdout } = await mesh.beside(`caller-${kind}`, ["getent", "ahostsv4", "peers"]);
      const found = stdout
        .split("\n")
        .flatMap((line) => (line.includes("STREAM") ? [line.split(" ")[0]!] : []));
      assert.deepEqual(found.toSorted(), kinds.map((other) => peerAddress[other]).toSorted());
      for (const other of kinds) {
        const host = ["-H", "host: peers.default:8080"];
        assert.equal(await curl(kind, ...host, `http://${peerAddress[other]}:8080/`), `peer ${other} 200`);
        assert.equal(await bytes(kind, peerAddress[other], 7000), `peer ${other}`);
        const service = {
          destination_service_name: "peers",
          destination_principal: `spiffe://cluster.local/ns/default/sa/peer-${other}`,
        };
        await untilCounted(kind, "istio_requests_total", service);
        await untilCounted(kind, "istio_tcp_connections_opened_total", service);
      }
    });

    test(`${kind}: an instance of a headless service that is written down is called by its own name`, async () => {
      const url = "http://one.shelf.default:8080/";
      await mesh.until("requests arrive", async () => (await curl(kind, url)).endsWith(" 200"));
      assert.equal(await curl(kind, url), `one.shelf.default:8080 at ${partner} 200`);
      assert.equal(await bytes(kind, "one.shelf", 7000), `bytes at ${partner}`);
      await untilCounted(kind, "istio_requests_total", {
        destination_service_name: "shelf",
        response_code: "200",
      });
    });

    test(`${kind}: a Service without a selector is served where its EndpointSlice says`, async () => {
      await mesh.until("requests arrive", async () => (await curl(kind, "http://archive/")).endsWith(" 200"));
      for (let i = 0; i < 4; i++)
        assert.equal(await curl(kind, "http://archive/"), `archive at ${partner} 200`);
      assert.equal(await bytes(kind, "archive", 9000), `bytes at ${partner}`);
      await untilCounted(kind, "istio_requests_total", {
        destination_service: "archive.default.svc.cluster.local",
        response_code: "200",
      });
    });

    test(`${kind}: a ServiceEntry has what is in its range of addresses, also on a port of HTTP`, async () => {
      await mesh.until("connections arrive", async () => (await bytes(kind, ranged, 7000)) !== "");
      assert.equal(await bytes(kind, ranged, 7000), `bytes at ${ranged}`);
      assert.equal(await curl(kind, `http://${ranged}:8080/`), `${ranged}:8080 at ${ranged} 200`);
      const service = { destination_service: "range.example", destination_service_name: "range.example" };
      await untilCounted(kind, "istio_tcp_connections_opened_total", service);
    });

    test(`${kind}: where the mesh is REGISTRY_ONLY, nothing unknown is reached, and it is counted for BlackHoleCluster`, async () => {
      const host = ["-H", "host: blocked.example"];
      assert.equal(await curl(kind, ...host, `http://${stranger}:8080/`), " 502");
      assert.equal(await bytes(kind, stranger, 7000), "");
      assert.match(await curl(kind, `https://${stranger}/`), /^curl ended with 35/);
      const to = { destination_service_name: "BlackHoleCluster" };
      const service = { ...to, destination_service: "blocked.example" };
      await untilCounted(kind, "istio_requests_total", { ...service, response_code: "502" });
      await untilCounted(kind, "istio_tcp_connections_opened_total", { ...to, response_flags: "UH" });
    });
  }

  test("an endpoint that is ready no more is called no more", async () => {
    await mesh.apply("archive", archive(false));
    for (const kind of kinds) {
      await mesh.until(`${kind} calls nobody`, async () =>
        (await curl(kind, "http://archive/")).endsWith(" 503"),
      );
      await untilCounted(kind, "istio_requests_total", {
        destination_service_name: "archive",
        response_flags: "UH",
      });
    }
  });

  test("a Sidecar that says ALLOW_ANY lets its workloads out, as PassthroughCluster, and no more when it is gone", async () => {
    const file = await mesh.apply("sidecar", allowed);
    const host = ["-H", "host: free.example"];
    const call = (kind: Kind) => curl(kind, ...host, `http://${stranger}:8080/`);
    const callTls = (kind: Kind) => curl(kind, `https://${stranger}/`);
    for (const kind of kinds) {
      await mesh.until(`${kind} is let out`, async () => (await call(kind)).endsWith(" 200"));
      assert.equal(await call(kind), `free.example at ${stranger} 200`);
      await mesh.until("connections are, too", async () => (await callTls(kind)).endsWith(" 200"));
      assert.equal(await callTls(kind), `secret at ${stranger} 200`);
      const to = { destination_service_name: "PassthroughCluster" };
      const service = { ...to, destination_service: "free.example" };
      await untilCounted(kind, "istio_requests_total", { ...service, response_code: "200" });
      await untilCounted(kind, "istio_tcp_connections_opened_total", to);
    }
    await mesh.weft("delete", "-f", file);
    for (const kind of kinds) {
      await mesh.until(`${kind} is let out no more`, async () => (await call(kind)) === " 502");
      await mesh.until("nor are connections", async () =>
        (await callTls(kind)).startsWith("curl ended with 35"),
      );
    }
  });

  // Last, because Envoy writes its log every ten seconds.
  test("access logs say by which route or cluster a call was refused or let out", async () => {
    for (const kind of kinds) {
      await untilLogged(kind, / 502 - direct_response .*"blocked\.example" .* block_all\n/);
      await untilLogged(kind, / 0 UH .* BlackHoleCluster /);
      await untilLogged(kind, / 200 - via_upstream .*"free\.example" .* PassthroughCluster .* allow_any\n/);
      await untilLogged(kind, new RegExp(` "${stranger}:443" PassthroughCluster `));
    }
  });
});
