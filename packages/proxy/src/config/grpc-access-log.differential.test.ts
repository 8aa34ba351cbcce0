import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import {
  type StreamAccessLogsMessage,
  StreamAccessLogsMessageSchema,
} from "@weft/xds/gen/envoy/service/accesslog/v3/als_pb";
import { envoy, startEnvoy, startWeft, withEnvoy } from "../filters/side-by-side-fixture.ts";
import { envoyType, loopback, overHttp2, staticCluster } from "./test-static-cluster.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-als-"));
const requests = [
  { method: "GET", path: "/one?x=1", headers: { host: "a.test", "user-agent": "test", "x-tenant": "red" } },
  {
    method: "POST",
    path: "/two",
    headers: { host: "a.test", referer: "http://a/", "content-length": "5" },
    body: "hello",
  },
  { method: "PURGE", path: "/missing/three", headers: { host: "a.test" } },
] as const;

interface Service {
  readonly port: number;
  readonly messages: StreamAccessLogsMessage[];
  close(): void;
}

/** An access log service; it answers only what has ended, as most do. */
async function startService(): Promise<Service> {
  const messages: StreamAccessLogsMessage[] = [];
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    assert.equal(headers[":path"], "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs");
    let waiting = Buffer.alloc(0);
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= 5 && waiting.length >= 5 + waiting.readUInt32BE(1)) {
        const end = 5 + waiting.readUInt32BE(1);
        messages.push(fromBinary(StreamAccessLogsMessageSchema, waiting.subarray(5, end)));
        waiting = waiting.subarray(end);
      }
    });
    stream.on("end", () => stream.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return { port: (server.address() as AddressInfo).port, messages, close: () => server.close() };
}

function bootstrapOf(servicePort: number, echoPort: number): string {
  const common_config = {
    log_name: "calls",
    transport_api_version: "V3",
    grpc_service: { envoy_grpc: { cluster_name: "als" } },
    buffer_flush_interval: "0.05s",
    custom_tags: [
      { tag: "constant", literal: { value: "yes" } },
      { tag: "tenant", request_header: { name: "x-tenant", default_value: "none" } },
    ],
  };
  const log = (kind: string, more: object = {}) => [
    {
      name: kind,
      typed_config: { ...envoyType(`extensions.access_loggers.grpc.v3.${kind}`), common_config, ...more },
    },
  ];
  const manager = {
    ...envoyType("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "s",
    access_log: log("HttpGrpcAccessLogConfig", {
      additional_request_headers_to_log: ["x-tenant", "x-none"],
      additional_response_headers_to_log: ["content-type"],
    }),
    route_config: {
      virtual_hosts: [
        {
          name: "v",
          domains: ["*"],
          routes: [
            { match: { prefix: "/missing" }, name: "gone", route: { cluster: "nowhere" } },
            { match: { prefix: "/" }, direct_response: { status: 201, body: { inline_string: "made" } } },
          ],
        },
      ],
      validate_clusters: false,
    },
    http_filters: [{ name: "router", typed_config: envoyType("extensions.filters.http.router.v3.Router") }],
  };
  const tcp = {
    ...envoyType("extensions.filters.network.tcp_proxy.v3.TcpProxy"),
    stat_prefix: "t",
    cluster: "echo",
    access_log: log("TcpGrpcAccessLogConfig"),
  };
  const listener = (name: string, typed_config: object) => ({
    name,
    address: loopback(0),
    filter_chains: [{ filters: [{ name, typed_config }] }],
  });
  return JSON.stringify({
    node: { id: "node-1", cluster: "cluster-1" },
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [listener("main", manager), listener("tcp", tcp)],
      clusters: [staticCluster("als", servicePort, overHttp2), staticCluster("echo", echoPort)],
    },
  });
}

/** What differs from one run to the next, and what is not known to both. */
const left = new Set([
  ..."startTime duration streamId downstreamRemoteAddress downstreamDirectRemoteAddress".split(" "),
  ..."downstreamLocalAddress upstreamLocalAddress upstreamRemoteAddress timeToLastRxByte".split(" "),
  ..."timeToFirstDownstreamTxByte timeToLastDownstreamTxByte timeToFirstUpstreamTxByte".split(" "),
  ..."timeToLastUpstreamTxByte timeToFirstUpstreamRxByte timeToLastUpstreamRxByte requestId".split(" "),
  // Bytes on the wire and raw heads are counted by Envoy alone.
  ..."downstreamWireBytesSent downstreamWireBytesReceived upstreamWireBytesSent".split(" "),
  ..."upstreamWireBytesReceived upstreamHeaderBytesSent downstreamHeaderBytesReceived".split(" "),
  ..."upstreamHeaderBytesReceived downstreamHeaderBytesSent responseHeadersBytes requestHeadersBytes".split(
    " ",
  ),
]);

function entriesOf({ messages }: Service): string[] {
  return messages
    .flatMap((message) => {
      const json = toJson(StreamAccessLogsMessageSchema, message) as Record<string, { logEntry: object[] }>;
      return [...(json.httpLogs?.logEntry ?? []), ...(json.tcpLogs?.logEntry ?? [])];
    })
    .map((entry) => JSON.stringify(sorted(entry), undefined, 1))
    .sort();
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const kept = Object.entries(value).filter(([key]) => !left.has(key));
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, v]) => [key, sorted(v)]));
}

const seen: { envoy?: string[]; weft?: string[]; names?: Set<string> } = {};

before(async () => {
  if (!envoy) return;
  const { createServer: tcpServer } = await import("node:net");
  const echo = tcpServer((socket) => socket.on("data", (data) => socket.end(data)));
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", () => resolve()));
  for (const [name, start] of [
    ["envoy", (bootstrap: string) => startEnvoy(bootstrap, directory)],
    ["weft", startWeft],
  ] as const) {
    const service = await startService();
    const proxy = await start(bootstrapOf(service.port, (echo.address() as AddressInfo).port));
    for (const { body, ...options } of requests as readonly { body?: string }[]) {
      await new Promise<void>((resolve, reject) => {
        const call = request({ host: "127.0.0.1", port: proxy.ports.get("main")!, agent: false, ...options });
        call.on("response", (answer) => answer.resume().on("end", resolve)).on("error", reject);
        call.end(body);
      });
    }
    await new Promise<void>((resolve, reject) => {
      const socket = connect(proxy.ports.get("tcp")!, "127.0.0.1", () => socket.write("ping"));
      socket.resume().on("close", resolve).on("error", reject);
    });
    while (entriesOf(service).length < requests.length + 1) await new Promise((r) => setTimeout(r, 10));
    seen[name] = entriesOf(service);
    if (name === "weft") {
      seen.names = new Set(
        service.messages.map(({ identifier }) => `${identifier?.node?.id} ${identifier?.logName}`),
      );
      const stats = async () => await (await fetch(`http://${proxy.admin}/stats`)).text();
      while (!/grpc_access_log\.logs_written: 4/.test(await stats()))
        await new Promise((r) => setTimeout(r, 10));
    }
    await proxy.close();
    service.close();
  }
  echo.close();
});

after(() => rmSync(directory, { recursive: true }));

test("an access log service gets the entries Envoy sends", withEnvoy, () => {
  assert.deepEqual(seen.weft, seen.envoy);
});

test("an access log service is told who logs, and which log it is", withEnvoy, () => {
  assert.deepEqual([...seen.names!], ["node-1 calls"]);
});
