/**
 * What is told of requests cannot be told: collectors that are away, slow or
 * refuse, a full disk, labels and trace headers that nobody should send. Seen
 * from outside: traffic does not notice, and the loss is counted.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import http2 from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort } from "../packages/testkit/src/free-port.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { until } from "../packages/testkit/src/until.ts";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";

const promtool = findPeer("promtool");
const folder = mkdtempSync(join(tmpdir(), "weft-faults-"));
const type = (name: string) => ({ "@type": `type.googleapis.com/envoy.${name}` });
const address = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });
const connections = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const requests = 30;

/** By listener: what is wrong there. */
const collectors = ["away", "slow", "refusing"] as const;
const seen: IncomingHttpHeaders[] = [];
const ports = new Map<string, number>();
const servers: (Server | http2.Http2Server)[] = [];
let proxy: ChildProcess;
let admin = 0;

before(async () => {
  const upstream = createServer((request, response) => {
    seen.push(request.headers);
    response.end("here");
  });
  // One that takes everything and never answers, and one that takes nothing.
  const slow = http2.createServer().on("stream", (stream) => void stream.resume().on("error", () => {}));
  const refusing = http2.createServer().on("stream", (stream) => {
    stream.on("error", () => {});
    stream.respond({ "content-type": "application/grpc", "grpc-status": "14" }, { endStream: true });
  });
  const portOf = async (server: Server | http2.Http2Server) => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    return (server.address() as AddressInfo).port;
  };
  admin = await freePort();
  const clusters = [
    cluster("up", await portOf(upstream)),
    cluster("away", await freePort(), true),
    cluster("slow", await portOf(slow), true),
    cluster("refusing", await portOf(refusing), true),
  ];
  const listeners = [];
  for (const name of [...collectors, "full-disk", "labels"]) {
    ports.set(name, await freePort());
    listeners.push(listener(name, ports.get(name)!));
  }
  const static_layer = { tracing: { opentelemetry: { flush_interval_ms: 30 } } };
  const bootstrap = {
    node: { id: "sidecar~10.0.0.1~web.default~default.svc.cluster.local", cluster: "web.default" },
    admin: { address: address(admin) },
    layered_runtime: { layers: [{ name: "static", static_layer }] },
    static_resources: { listeners, clusters },
  };
  const file = join(folder, "bootstrap.json");
  writeFileSync(file, JSON.stringify(bootstrap));
  proxy = spawn(weftProgram, ["proxy", "-c", file], { stdio: "ignore" });
  await until("the proxy serves", async () => (await status(admin, "/ready").catch(() => 0)) === 200);
});
after(async () => {
  if (proxy.exitCode === null) {
    const over = once(proxy, "exit");
    proxy.kill("SIGTERM");
    await over;
  }
  for (const server of servers) {
    if ("closeAllConnections" in server) server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

function cluster(name: string, port: number, isHttp2 = false): object {
  const options = "extensions.upstreams.http.v3.HttpProtocolOptions";
  const http2Options = { ...type(options), explicit_http_config: { http2_protocol_options: {} } };
  return {
    name,
    connect_timeout: "0.5s",
    ...(isHttp2 && { typed_extension_protocol_options: { [`envoy.${options}`]: http2Options } }),
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

function listener(name: string, port: number): object {
  const isCollector = collectors.some((one) => one === name);
  const grpc_service = { envoy_grpc: { cluster_name: name }, timeout: "1s" };
  const common_config = { log_name: "calls", grpc_service, buffer_flush_interval: "0.03s" };
  const als = "extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig";
  const otel = "extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig";
  const file = { ...type("extensions.access_loggers.file.v3.FileAccessLog"), path: "/dev/full" };
  const logs = isCollector
    ? [
        { name: "als", typed_config: { ...type(als), common_config } },
        { name: "otel", typed_config: { ...type(otel), common_config } },
      ]
    : name === "full-disk"
      ? [{ name: "file", typed_config: file }]
      : [];
  const provider = { ...type("config.trace.v3.OpenTelemetryConfig"), grpc_service, service_name: "web" };
  const stats = {
    "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
    type_url: "type.googleapis.com/stats.PluginConfig",
    value: { metrics: [{ name: "requests_total", dimensions: { tenant: "request.headers['x-tenant']" } }] },
  };
  const manager = {
    ...type(connections),
    stat_prefix: name,
    access_log: logs,
    ...(isCollector && { tracing: { provider: { name: "otel", typed_config: provider } } }),
    route_config: {
      virtual_hosts: [
        { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "up" } }] },
      ],
    },
    http_filters: [
      ...(name === "labels" ? [{ name: "istio.stats", typed_config: stats }] : []),
      { name: "router", typed_config: type("extensions.filters.http.router.v3.Router") },
    ],
  };
  return {
    name,
    address: address(port),
    traffic_direction: "OUTBOUND",
    filter_chains: [{ filters: [{ name: "hcm", typed_config: manager }] }],
  };
}

async function status(port: number, path: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
  await response.arrayBuffer();
  return response.status;
}

async function stat(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${admin}/stats?filter=${name}`)).text();
  return [...text.matchAll(/: (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}

for (const collector of collectors) {
  test(`a collector that is ${collector} costs no request, and every record is counted as lost`, async () => {
    const names = [
      "tracing.opentelemetry.spans_dropped",
      "access_logs.grpc_access_log.logs_dropped",
      "access_logs.open_telemetry_access_log.logs_dropped",
    ];
    const before = await Promise.all(names.map(stat));
    const port = ports.get(collector)!;
    const answers = await Promise.all(Array.from({ length: requests }, () => status(port, "/")));
    assert.deepEqual(new Set(answers), new Set([200]));
    await until("all of it is counted", async () => {
      const now = await Promise.all(names.map(stat));
      return now.every((count, i) => count - before[i]! === requests);
    });
  });
}

test("a full disk under the access log costs no request, and every line is counted as lost", async () => {
  const port = ports.get("full-disk")!;
  const answers = await Promise.all(Array.from({ length: requests }, () => status(port, "/")));
  assert.deepEqual(new Set(answers), new Set([200]));
  await until("the lines are counted", async () => (await stat("lost")) === requests);
});

test("a label of quotes and of 10 KB stays one label on a page that Prometheus can read", {
  skip: promtool ? false : "no promtool found",
}, async () => {
  const port = ports.get("labels")!;
  const tenants = ['a"b\\c', `"}\\n# TYPE evil counter ${"x".repeat(10_000)}`, "\\", "plain"];
  for (const tenant of tenants) assert.equal(await status(port, "/", { "x-tenant": tenant }), 200);
  // Nobody can send a line end in a field: what tries is refused, and makes no label.
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: a\r\nx-tenant: a\nb\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  assert.match(answer.toString(), /^HTTP\/1.1 400/);
  for (const accept of ["text/plain", "application/openmetrics-text; version=1.0.0"]) {
    const page = await fetch(`http://127.0.0.1:${admin}/stats/prometheus`, { headers: { accept } });
    const text = await page.text();
    const lines = text.split("\n").filter((line) => line.startsWith("istio_requests_total{"));
    assert.equal(lines.length, tenants.length, accept);
    for (const tenant of tenants) {
      const quoted = tenant.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
      assert.ok(
        lines.some((line) => line.includes(`tenant="${quoted}"`)),
        tenant.slice(0, 40),
      );
    }
    if (accept === "text/plain") {
      // What it finds to better in names and help it says, and ends with 3; what it cannot read ends it with 1.
      try {
        execFileSync(promtool!, ["check", "metrics"], { input: text, stdio: ["pipe", "pipe", "pipe"] });
      } catch (error) {
        assert.equal((error as { status: number }).status, 3, String((error as { stderr: Buffer }).stderr));
      }
    }
  }
});

test("malformed trace headers begin a new trace, and the request goes on", async () => {
  const port = ports.get("away")!;
  const id = "0af7651916cd43dd8448eb211c80319c";
  const malformed = [
    `00-${id}-b7ad6b7169203331`,
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
    `ff-${id}-b7ad6b7169203331-01`,
    `00-${id.toUpperCase()}-b7ad6b7169203331-01`,
    "x".repeat(8_000),
    "-",
  ];
  for (const traceparent of malformed) {
    seen.length = 0;
    assert.equal(await status(port, "/", { traceparent, tracestate: "=,,=" }), 200);
    const forwarded = String(seen[0]!.traceparent);
    assert.match(forwarded, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/, traceparent.slice(0, 60));
    assert.ok(!forwarded.includes(id));
  }
});
