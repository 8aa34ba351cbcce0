import assert from "node:assert/strict";
import { request } from "node:http";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { freePort } from "@weft/testkit/free-port";
import { until } from "@weft/testkit/until";
import { startWeft } from "../filters/side-by-side-fixture.ts";
import { envoyType, loopback, overHttp2, staticCluster } from "./test-static-cluster.ts";

function bootstrapOf(servicePort: number): string {
  const common_config = {
    log_name: "calls",
    grpc_service: { envoy_grpc: { cluster_name: "als" } },
    buffer_flush_interval: "0.02s",
  };
  const typed_config = {
    ...envoyType("extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"),
    common_config,
  };
  const manager = {
    ...envoyType("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "s",
    access_log: [{ name: "als", typed_config }],
    route_config: {
      virtual_hosts: [
        { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] },
      ],
    },
    http_filters: [{ name: "router", typed_config: envoyType("extensions.filters.http.router.v3.Router") }],
  };
  const als = staticCluster("als", servicePort, overHttp2);
  const filter_chains = [{ filters: [{ name: "manager", typed_config: manager }] }];
  return JSON.stringify({
    admin: { address: loopback(0) },
    static_resources: { listeners: [{ name: "main", address: loopback(0), filter_chains }], clusters: [als] },
  });
}

describe("an access log service that takes nothing costs entries, which are counted, and no request", () => {
  let server: Http2Server;
  let answer: (stream: ServerHttp2Stream) => void;
  before(async () => {
    server = createServer();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.resume();
      answer(stream);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  });
  after(() => server.close());

  const refuse = (stream: ServerHttp2Stream): void =>
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": "14" },
      { endStream: true },
    );
  const cases: readonly [what: string, port: () => Promise<number>, answer?: typeof refuse][] = [
    ["is away", () => freePort()],
    ["refuses", async () => (server.address() as AddressInfo).port, refuse],
    ["breaks off", async () => (server.address() as AddressInfo).port, (stream) => stream.close(2)],
    [
      "answers with something else",
      async () => (server.address() as AddressInfo).port,
      (stream) => stream.respond({ ":status": 503 }, { endStream: true }),
    ],
  ];
  for (const [what, port, how] of cases) {
    it(`because it ${what}`, async () => {
      if (how) answer = how;
      const proxy = await startWeft(bootstrapOf(await port()));
      try {
        const statuses = await Promise.all(Array.from({ length: 5 }, () => get(proxy.ports.get("main")!)));
        assert.deepEqual(statuses, [200, 200, 200, 200, 200]);
        const stats = async () => await (await fetch(`http://${proxy.admin}/stats`)).text();
        const dropped = /^access_logs\.grpc_access_log\.logs_dropped: 5$/m;
        await until("all five are counted", async () => dropped.test(await stats()));
        assert.match(await stats(), /^access_logs\.grpc_access_log\.logs_written: 0$/m);
      } finally {
        await proxy.close();
      }
    });
  }
});

function get(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, path: "/", agent: false }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0));
    });
    call.on("error", reject);
    call.end();
  });
}
