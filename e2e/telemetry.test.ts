/**
 * Istio's Telemetry, obeyed by Weft's sidecar and by Envoy alike: metrics
 * without some and with labels of one's own, chosen access logs, and spans.
 */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  parsePrometheusText,
  type ScrapedFamily,
} from "../packages/agent/src/metrics/parse-prometheus-text.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const kinds = ["weft", "envoy"] as const;
type Kind = (typeof kinds)[number];

const hosts = { caller: { weft: 1, envoy: 2 }, api: { weft: 3, envoy: 4 } } as const;
const app = (address: string) =>
  `require("http").createServer((request, response) => {
    response.statusCode = request.url.startsWith("/missing") ? 404 : 200;
    response.end("here");
  }).listen(8080, ${JSON.stringify(address)})`;
const proxyFlags = (kind: Kind) => (kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : []);
const portTo = (callee: Kind) => (callee === "weft" ? 20000 : 20001);

interface ZipkinSpan {
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
}

describe("Telemetry", {
  skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-telemetry-"));
  const log = join(folder, "access.log");
  const spans: ZipkinSpan[] = [];
  let collector: Server;
  let mesh: LocalMesh;

  before(async () => {
    chmodSync(folder, 0o777);
    writeFileSync(log, "");
    chmodSync(log, 0o666);
    collector = createServer((message, response) => {
      const chunks: Buffer[] = [];
      message.on("data", (chunk: Buffer) => chunks.push(chunk));
      message.on("end", () => {
        spans.push(...(JSON.parse(Buffer.concat(chunks).toString()) as ZipkinSpan[]));
        response.writeHead(202).end();
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
    const { port } = collector.address() as AddressInfo;
    writeFileSync(join(folder, "mesh.yaml"), meshConfig(log));
    writeFileSync(join(folder, "telemetry.yaml"), telemetry(port));
    mesh = await LocalMesh.start("--mesh-config", join(folder, "mesh.yaml"));
    const applied = await mesh.weft("apply", "-f", join(folder, "telemetry.yaml"));
    assert.equal(applied.code, 0, applied.stderr);
    for (const kind of kinds) {
      const [caller, api] = [mesh.addressOf(hosts.caller[kind]), mesh.addressOf(hosts.api[kind])];
      const ports = ["--port", "8080:http", "--inbound-port", "8080=18080"];
      await mesh.run(
        `api-${kind}`,
        hosts.api[kind],
        [...ports, ...proxyFlags(kind)],
        [process.execPath, "-e", app(api)],
      );
      const upstreams = kinds.flatMap((callee) => [
        "--upstream",
        `api-${callee}:8080=${caller}:${portTo(callee)}`,
      ]);
      const idle = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
      await mesh.run(`caller-${kind}`, hosts.caller[kind], [...upstreams, ...proxyFlags(kind)], idle);
    }
    for (const caller of kinds) {
      for (const callee of kinds) {
        await mesh.until(`${caller} reaches ${callee}`, async () => (await call(caller, callee)) === 200);
      }
    }
  });
  after(async () => {
    await mesh?.close();
    collector?.closeAllConnections();
    collector?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function call(caller: Kind, callee: Kind, path = "/"): Promise<number> {
    const url = `http://${mesh.addressOf(hosts.caller[caller])}:${portTo(callee)}${path}`;
    const response = await fetch(url, { headers: { "x-tenant": `tenant-${caller}` } }).catch(() => undefined);
    await response?.text();
    return response?.status ?? 0;
  }

  async function metricsOf(host: number): Promise<ScrapedFamily[]> {
    const response = await fetch(`http://${mesh.addressOf(host)}:15090/stats/prometheus`);
    return parsePrometheusText(await response.text(), (name) => name.startsWith("istio_"));
  }

  const labelsOf = (families: readonly ScrapedFamily[], name: string, reporter: string) =>
    (families.find((family) => family.name === name)?.series ?? [])
      .map(({ labels }) => labels)
      .filter(
        (labels) => labels.reporter === reporter && labels.destination_service_name?.startsWith("api-"),
      );

  for (const kind of kinds) {
    test(`${kind}: callers have labels of the configuration's own, and lack what is removed`, async () => {
      await mesh.until("calls are counted", async () => {
        const found = labelsOf(await metricsOf(hosts.caller[kind]), "istio_requests_total", "source");
        return found.length >= 2;
      });
      const families = await metricsOf(hosts.caller[kind]);
      for (const labels of labelsOf(families, "istio_requests_total", "source")) {
        assert.equal(labels.tenant, `tenant-${kind}`);
        assert.equal(labels.method, "GET");
        assert.ok(!labels.source_cluster, "source_cluster is removed");
      }
      const sizes = labelsOf(families, "istio_response_bytes", "source");
      assert.ok(
        sizes.length > 0 && sizes.every(({ tenant }) => tenant === undefined),
        "other metrics are as usual",
      );
      assert.deepEqual(
        labelsOf(families, "istio_request_bytes", "source"),
        [],
        "what is disabled is not made",
      );
    });

    test(`${kind}: services whose metrics are turned off have none`, async () => {
      await mesh.until("the caller has counted", async () => (await call(kind, kind)) === 200);
      const families = await metricsOf(hosts.api[kind]);
      assert.deepEqual(labelsOf(families, "istio_requests_total", "destination"), []);
    });
  }

  test("access logs are of the calls that the expression chooses, at the side that is asked for", async () => {
    for (const caller of kinds) {
      for (const callee of kinds) {
        assert.equal(await call(caller, callee, `/missing/${caller}/${callee}`), 404);
        assert.equal(await call(caller, callee, `/found/${caller}/${callee}`), 200);
      }
    }
    const expected = kinds.flatMap((caller) => kinds.map((callee) => `/missing/${caller}/${callee} 404`));
    const lines = () => readFileSync(log, "utf8").split("\n").filter(Boolean).sort();
    await mesh.until("the lines are there", () => lines().length >= expected.length);
    assert.deepEqual(lines(), expected.sort());
  });

  test("both data planes report spans of one trace, with tags of the mesh and of the configuration", async () => {
    const services = ["api-envoy.default", "api-weft.default", "caller-envoy.default", "caller-weft.default"];
    const named = () => [...new Set(spans.map(({ localEndpoint }) => localEndpoint.serviceName))].sort();
    const isWhole = (own: readonly ZipkinSpan[]) =>
      own.some(({ kind }) => kind === "SERVER") && own.length === 2;
    await mesh.until("all four have reported, and both ends of a call", () => {
      const byTrace = Map.groupBy(spans, ({ traceId }) => traceId);
      return named().length === services.length && [...byTrace.values()].some(isWhole);
    });
    assert.deepEqual(named(), services);
    for (const { tags, localEndpoint } of spans) {
      assert.equal(tags["istio.canonical_service"], localEndpoint.serviceName.split(".")[0]);
      assert.equal(tags["istio.namespace"], "default");
      assert.equal(tags.tier, "gold");
      assert.match(tags.tenant ?? "none", /^(tenant-|none)/);
    }
  });
});

function meshConfig(log: string): string {
  return JSON.stringify({
    defaultProviders: { tracing: ["zipkin"] },
    extensionProviders: [
      { name: "zipkin", zipkin: { service: "zipkin.example.com", port: 9411 } },
      {
        name: "file",
        envoyFileAccessLog: { path: log, logFormat: { text: "%REQ(:PATH)% %RESPONSE_CODE%" } },
      },
    ],
  });
}

function telemetry(collectorPort: number): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: zipkin }
spec:
  hosts: [zipkin.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 9411, name: http, protocol: HTTP, targetPort: ${collectorPort} }]
  endpoints: [{ address: 127.0.0.1 }]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: mesh, namespace: istio-system }
spec:
  tracing:
    - randomSamplingPercentage: 100
      customTags:
        tier: { literal: { value: gold } }
        tenant: { header: { name: x-tenant } }
  metrics:
    - overrides:
        - match: { mode: SERVER }
          disabled: true
        - match: { metric: REQUEST_SIZE }
          disabled: true
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: here }
spec:
  accessLogging:
    - match: { mode: CLIENT }
      providers: [{ name: file }]
      filter: { expression: "response.code >= 400 && request.url_path.startsWith('/missing')" }
  metrics:
    - overrides:
        - match: { metric: REQUEST_COUNT, mode: CLIENT }
          tagOverrides:
            tenant: { value: "request.headers['x-tenant']" }
            method: { value: request.method }
            source_cluster: { operation: REMOVE }
`;
}
