import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import fc from "@weft/testkit/properties";
import { HeaderList } from "../layer/header-list.ts";
import { exchange, request, response, type TestExchange } from "../telemetry/exchange-fixture.ts";
import { localPeerMetadata } from "../telemetry/peer-metadata.ts";
import { GrpcMessageCounter } from "./grpc-message-counter.ts";
import { createIstioStatsFilter } from "./istio-stats.ts";
import type { IstioStatsPlan } from "./istio-stats-plan.ts";
import { frame } from "./test-grpc-upstream.ts";

const plan = (options: Partial<IstioStatsPlan> = {}) =>
  ({
    reporter: "source",
    local: localPeerMetadata({ WORKLOAD_NAME: "web", NAMESPACE: "default" }),
    nodeId: "sidecar~10.0.0.1~web.default~default.svc.cluster.local",
    localPrincipal: () => "",
    isHostHeaderFallbackDisabled: false,
    overrides: [],
    dimensions: [],
    tcpReportingMs: 5_000,
    ...options,
  }) as unknown as IstioStatsPlan;

const grpcCall = (options: Parameters<typeof exchange>[0] = {}) =>
  exchange({
    request: request({ "content-type": "application/grpc+proto" }, { method: "POST" }),
    response: response(200, { "content-type": "application/grpc" }),
    responseTrailers: new HeaderList(["grpc-status", "0"]),
    ...options,
  });

/** What comes through the stages of a call goes on as it is. */
function passThrough({ recorded }: TestExchange, side: "request" | "response", ...chunks: Buffer[]): void {
  const [stage] = side === "request" ? recorded.requestStages : recorded.responseStages;
  const passed: Buffer[] = [];
  stage!.next = { onData: (chunk) => void passed.push(chunk), onTrailers() {} };
  for (const chunk of chunks) stage!.onData(chunk, false);
  assert.deepEqual(passed, chunks);
}

function scene(options: Partial<IstioStatsPlan> = {}) {
  const registry = new MetricRegistry();
  const clock = new FakeClock();
  const filter = createIstioStatsFilter(plan(options), registry, clock);
  const families = () => [...registry.families].filter(({ name }) => name.includes("_messages_total"));
  return {
    clock,
    filter,
    families,
    counted: () =>
      Object.fromEntries(
        families().map(({ name, series }) => [
          name,
          [...series].map(({ metric }) => (metric as { value: number }).value),
        ]),
      ),
  };
}

describe("messages of gRPC calls", () => {
  it("are counted for both directions when a call ends, with the labels of both its ends alone", () => {
    const { filter, counted, families } = scene();
    const call = grpcCall();
    filter.onRequest!(call);
    passThrough(call, "request", frame("a"), frame("bc"));
    passThrough(call, "response", Buffer.concat([frame(""), frame("x"), frame("yz")]));
    assert.deepEqual(counted().istio_request_messages_total, []);
    filter.onComplete!(call);
    assert.deepEqual(counted(), { istio_request_messages_total: [2], istio_response_messages_total: [3] });
    for (const { labelNames } of families()) {
      assert.equal(labelNames.length, 20);
      assert.equal(labelNames.at(-1), "destination_cluster");
    }
  });

  it("of a stream that stays open are counted every so often, each once", async () => {
    const { clock, filter, counted } = scene({ tcpReportingMs: 2_000 });
    const call = grpcCall();
    filter.onRequest!(call);
    passThrough(call, "request", frame("a"));
    await clock.advance(2_000);
    assert.deepEqual(counted(), { istio_request_messages_total: [1], istio_response_messages_total: [0] });
    passThrough(call, "response", frame("a"), frame("b"));
    await clock.advance(2_000);
    assert.deepEqual(counted(), { istio_request_messages_total: [1], istio_response_messages_total: [2] });
    passThrough(call, "response", frame("c"));
    filter.onComplete!(call);
    await clock.advance(10_000);
    assert.deepEqual(counted(), { istio_request_messages_total: [1], istio_response_messages_total: [3] });
  });

  it("wait until it is known whom the call reaches", async () => {
    const { clock, filter, counted } = scene();
    const call = grpcCall({ endpoint: undefined });
    const { endpoint } = exchange();
    filter.onRequest!(call);
    passThrough(call, "request", frame("a"));
    await clock.advance(5_000);
    assert.deepEqual(counted().istio_request_messages_total, []);
    call.endpoint = endpoint;
    await clock.advance(5_000);
    assert.deepEqual(counted().istio_request_messages_total, [1]);
  });

  it("are not looked for in what a web server answers", () => {
    const { filter, counted } = scene();
    const call = grpcCall({ response: response(503, { "content-type": "text/html" }) });
    filter.onRequest!(call);
    passThrough(call, "response", Buffer.from("<html>no</html>"));
    filter.onComplete!(call);
    assert.deepEqual(counted().istio_response_messages_total, [0]);
  });

  it("cost other requests nothing, nor any where the metrics are off", () => {
    const dropped = ["request_messages_total", "response_messages_total"].map((metric) => ({
      metric,
      isDropped: true,
      tagsToRemove: [],
      tags: [],
    }));
    const web = () => exchange({ request: request({ "content-type": "text/plain" }, { method: "POST" }) });
    for (const [overrides, call] of [
      [[], web()],
      [[], exchange({ request: request({ "content-type": "application/grpc" }) })],
      [dropped, grpcCall()],
    ] as const) {
      const { filter, counted } = scene({ overrides });
      filter.onRequest!(call);
      assert.deepEqual([call.recorded.requestStages, call.recorded.responseStages], [[], []]);
      filter.onComplete!(call);
      assert.deepEqual(Object.values(counted()).flat().filter(Boolean), []);
    }
  });

  it("are as many wherever their chunks begin and end", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 300 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
        (messages, sizes) => {
          const counter = new GrpcMessageCounter();
          counter.next = { onData() {}, onTrailers() {} };
          const bytes = Buffer.concat(messages.map((text) => frame(text.replaceAll(/[^ -~]/g, "x"))));
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const size = sizes[i % sizes.length]!;
            counter.onData(bytes.subarray(at, at + size), false);
            at += size;
          }
          assert.equal(counter.count, messages.length);
        },
      ),
    );
  });
});
