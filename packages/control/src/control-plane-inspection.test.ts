import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { type EventEmitter, once } from "node:events";
import { statSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { findPeer } from "@weft/testkit/peer";
import {
  ClientStatusDiscoveryService,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
  ConfigStatus,
} from "@weft/xds/gen/envoy/service/status/v3/csds_pb";
import { MetricsService } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import { methodPath } from "@weft/xds/grpc/grpc-route";
import { typeUrl } from "@weft/xds/type-url";
import { type Identity, targetOf } from "./test-enrol.ts";
import { nodeOf, reviewsCluster, runningMesh, setUp } from "./test-running-mesh.ts";

const grpcJs = findPeer("weft-grpc-node");

test("any gRPC tool of this machine sees what every client is given (CSDS), and Istio's pages are there", {
  skip: grpcJs ? false : "no weft-grpc-node found",
}, async (t) => {
  const setting = await setUp(t);
  const { webSidecar } = await runningMesh(t, setting);
  assert.equal(statSync(setting.plane.operatorSocket).mode & 0o777, 0o600);
  const { Client, credentials } = createRequire(`${grpcJs}-files/`)("@grpc/grpc-js") as GrpcJs;
  const client = new Client(`unix:${setting.plane.operatorSocket}`, credentials.createInsecure());
  t.after(() => client.close());
  const { method } = ClientStatusDiscoveryService;
  const call = client.makeBidiStreamRequest(
    methodPath(method.streamClientStatus),
    (request) => Buffer.from(toBinary(ClientStatusRequestSchema, create(ClientStatusRequestSchema, request))),
    (bytes) => fromBinary(ClientStatusResponseSchema, bytes),
  );
  const nodeId = nodeOf("sidecar", "web").id;
  const nodeMatchers = [{ nodeId: { matchPattern: { case: "exact", value: nodeId } } }] as const;
  call.write({ nodeMatchers: [...nodeMatchers] });
  const [{ config }] = (await once(call, "data")) as [ClientStatusResponse];
  assert.deepEqual(
    config.map(({ node }) => node?.id),
    [nodeId],
  );
  const given = config[0]!.genericXdsConfigs;
  const endpoints = given.filter((one) => one.typeUrl === typeUrl.endpoint);
  assert.deepEqual(
    endpoints.map(({ name, configStatus }) => [name, configStatus]),
    [[reviewsCluster, ConfigStatus.SYNCED]],
  );
  assert.deepEqual(
    Buffer.from(endpoints[0]!.xdsConfig!.value),
    Buffer.from(webSidecar.held.get(typeUrl.endpoint)!.get(reviewsCluster)!),
  );
  call.end();
  await once(call, "end");

  const pages = Object.fromEntries(
    await Promise.all(
      ["syncz", "configz", "endpointz", "registryz"].map(async (page) => [
        page,
        await readPage(setting.plane.socketPath, `/debug/${page}`),
      ]),
    ),
  );
  const row = pages.syncz.find(({ proxy }: { proxy: string }) => proxy === "web-v1-1.default");
  assert.equal(row.endpoint_acked, row.endpoint_sent);
  assert.notEqual(row.endpoint_sent, "");
  assert.deepEqual(pages.configz, []);
  const port = pages.endpointz.find(({ svc }: { svc: string }) => svc.startsWith("reviews.default."));
  assert.deepEqual([port.ep[0].Addresses, port.ep[0].TLSMode], [["10.9.0.1"], "istio"]);
  assert.ok(
    pages.registryz.some(({ hostname }: { hostname: string }) => hostname.startsWith("web.default.")),
  );
  assert.match((await readPage(setting.plane.socketPath, "/debug/x")).error, /there is no \/debug\/x/);
});

interface GrpcJs {
  readonly credentials: { createInsecure(): unknown };
  readonly Client: new (
    target: string,
    how: unknown,
  ) => {
    close(): void;
    makeBidiStreamRequest(
      path: string,
      encode: (request: MessageInitShape<typeof ClientStatusRequestSchema>) => Buffer,
      decode: (bytes: Buffer) => ClientStatusResponse,
    ): EventEmitter & {
      write(request: MessageInitShape<typeof ClientStatusRequestSchema>): void;
      end(): void;
    };
  };
}

// biome-ignore lint/suspicious/noExplicitAny: pages are JSON for people, and each has its own shape
async function readPage(socketPath: string, path: string): Promise<any> {
  const chunks: Buffer[] = [];
  const [response] = (await once(get({ socketPath, path, agent: false }), "response")) as [IncomingMessage];
  for await (const chunk of response) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

test("a workload's certificates and bootstrap are shown, and never a key", async (t) => {
  const setting = await setUp(t);
  const { web } = await runningMesh(t, setting, { BOOTSTRAP: '{"node":{"id":"x"}}' });
  const { resources } = await setting.api.proxyConfig("web-v1", "secrets");
  const { serialNumber, validTo } = new X509Certificate(web.chain);
  assert.deepEqual(
    resources.map(({ name, value }) => [name, value.type, value.not_after]),
    [
      ["default", "Cert Chain", new Date(validTo).toISOString()],
      ["ROOTCA", "CA", new Date((await setting.api.caStatus()).rootNotAfterMs).toISOString()],
    ],
  );
  assert.equal(String(resources[0]!.value.serial).toLowerCase(), serialNumber.toLowerCase());
  assert.doesNotMatch(JSON.stringify(resources), /PRIVATE/);
  const bootstrap = await setting.api.proxyConfig("web-v1", "bootstrap");
  assert.deepEqual(bootstrap.resources[0]!.value, { node: { id: "x" } });
});

test("a bootstrap that nobody has told of, or that is none, is said to be missing", async (t) => {
  const setting = await setUp(t);
  await runningMesh(t, setting, { BOOTSTRAP: "[]" });
  await assert.rejects(
    setting.api.proxyConfig("web-v1", "bootstrap"),
    /nobody has said what .* started with/,
  );
});

test("metrics of a workload are its own and make its golden signals", async (t) => {
  const setting = await setUp(t);
  const { reviews, web } = await runningMesh(t, setting);
  const exported = (value: number, instance = "reviews-v1-1") => ({
    resourceMetrics: [
      {
        resource: { attributes: [text("service.instance.id", instance)] },
        instrumentationLibraryMetrics: [
          {
            metrics: [
              {
                name: "istio_requests_total",
                data: {
                  case: "sum" as const,
                  value: {
                    aggregationTemporality: 2,
                    dataPoints: [
                      {
                        attributes: [text("reporter", "destination"), text("response_code", "200")],
                        value: { case: "asDouble" as const, value },
                      },
                    ],
                  },
                },
              },
            ],
          },
        ],
      },
    ],
  });
  const channelOf = (identity: Identity) => {
    const target = targetOf(setting.plane, identity.root, identity);
    const channel = new GrpcChannel({ clock: systemClock, target });
    t.after(() => channel.close());
    return channel;
  };
  const own = channelOf(reviews);
  await own.unary(MetricsService.method.export, exported(0));
  await own.unary(MetricsService.method.export, exported(100));
  await assert.rejects(channelOf(web).unary(MetricsService.method.export, exported(9)), /another identity/);
  await assert.rejects(own.unary(MetricsService.method.export, exported(9, "nobody")), /names no workload/);
  const { rows } = await setting.api.stats({ by: "service" });
  const row = rows.find((candidate) => candidate.service === "reviews")!;
  assert.ok(row.requestsPerSecond! > 0);
  assert.equal(row.successRate, 1);
});

function text(key: string, value: string) {
  return { key, value: { value: { case: "stringValue" as const, value } } };
}
