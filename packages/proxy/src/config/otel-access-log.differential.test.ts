import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { get } from "node:http";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { ExportLogsServiceRequestSchema } from "@weft/xds/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb";
import { envoy, startEnvoy, startWeft, withEnvoy } from "../filters/side-by-side-fixture.ts";
import { envoyType, loopback, overHttp2, staticCluster } from "./test-static-cluster.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-otel-"));
const paths = ["/one", "/two?x=1", "/three"];

/** A collector: what it was sent, as JSON, without what differs from one moment to the next. */
async function startCollector(): Promise<{
  server: Http2Server;
  records: unknown[];
  resources: Set<string>;
}> {
  const records: unknown[] = [];
  const resources = new Set<string>();
  const server = createServer();
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      assert.equal(headers[":path"], "/opentelemetry.proto.collector.logs.v1.LogsService/Export");
      const message = fromBinary(ExportLogsServiceRequestSchema, Buffer.concat(chunks).subarray(5));
      for (const { resource, instrumentationLibraryLogs } of message.resourceLogs) {
        for (const { key, value } of resource?.attributes ?? [])
          resources.add(`${key}=${value?.value.value}`);
        for (const { logs } of instrumentationLibraryLogs) {
          for (const { timeUnixNano, body, attributes } of logs) {
            const isRecent = Math.abs(Number(timeUnixNano / 1_000_000n) - Date.now()) < 600_000;
            records.push({ isRecent, body: body?.value, attributes: attributes.map(plain) });
          }
        }
      }
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return { server, records, resources };
}

function plain(attribute: { key: string; value?: { value: unknown } | undefined }): unknown {
  return JSON.parse(
    JSON.stringify([attribute.key, attribute.value?.value], (key, value) =>
      key === "$typeName" || key === "$unknown" ? undefined : value,
    ),
  );
}

function bootstrapOf(collectorPort: number): string {
  const text = (string_value: string) => ({ string_value });
  const typed_config = {
    ...envoyType("extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig"),
    common_config: {
      log_name: "requests",
      grpc_service: { envoy_grpc: { cluster_name: "collector" } },
      buffer_flush_interval: "0.05s",
    },
    resource_attributes: { values: [{ key: "service.name", value: text("web") }] },
    body: text("%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%"),
    attributes: {
      values: [
        { key: "flags", value: text("[%RESPONSE_FLAGS%]") },
        { key: "missing", value: text("%REQ(X-NONE)%") },
        {
          key: "nested",
          value: {
            kvlist_value: {
              values: [
                { key: "status", value: text("%RESPONSE_CODE%") },
                { key: "list", value: { array_value: { values: [text("%PROTOCOL%"), text("plain")] } } },
              ],
            },
          },
        },
      ],
    },
  };
  const manager = {
    ...envoyType("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "s",
    access_log: [{ name: "otel", typed_config }],
    route_config: {
      virtual_hosts: [
        { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, direct_response: { status: 201 } }] },
      ],
    },
    http_filters: [{ name: "router", typed_config: envoyType("extensions.filters.http.router.v3.Router") }],
  };
  const collector = staticCluster("collector", collectorPort, overHttp2);
  const filter_chains = [{ filters: [{ name: "hcm", typed_config: manager }] }];
  return JSON.stringify({
    node: { id: "node-1", cluster: "cluster-1", locality: { zone: "zone-1" } },
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [{ name: "main", address: loopback(0), filter_chains }],
      clusters: [collector],
    },
  });
}

interface Seen {
  readonly records: unknown[];
  readonly resources: readonly string[];
  readonly written: string | undefined;
}

const seen: { envoy?: Seen; weft?: Seen } = {};

before(async () => {
  if (!envoy) return;
  for (const [name, start] of [
    ["envoy", (bootstrap: string) => startEnvoy(bootstrap, directory)],
    ["weft", startWeft],
  ] as const) {
    const { server, records, resources } = await startCollector();
    const proxy = await start(bootstrapOf((server.address() as AddressInfo).port));
    for (const path of paths) {
      await new Promise<void>((resolve, reject) => {
        get({ host: "127.0.0.1", port: proxy.ports.get("main")!, path }, (response) => {
          response.resume();
          response.on("end", resolve);
        }).on("error", reject);
      });
    }
    while (records.length < paths.length) await new Promise((resolve) => setTimeout(resolve, 10));
    const stats = async () => await (await fetch(`http://${proxy.admin}/stats`)).text();
    const counted = /^access_logs\.open_telemetry_access_log\.logs_written: (\d+)$/m;
    while (counted.exec(await stats())?.[1] !== `${paths.length}`) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    seen[name] = { records, resources: [...resources].sort(), written: counted.exec(await stats())?.[1] };
    await proxy.close();
    server.close();
  }
});

after(() => rmSync(directory, { recursive: true }));

test("an OpenTelemetry access log sends the records Envoy sends", withEnvoy, () => {
  assert.deepEqual(seen.weft!.records, seen.envoy!.records);
});

test("an OpenTelemetry access log says who logs as Envoy does", withEnvoy, () => {
  assert.deepEqual(seen.weft!.resources, seen.envoy!.resources);
});
