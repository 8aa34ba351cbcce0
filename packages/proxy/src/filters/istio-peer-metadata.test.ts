import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { connection, exchange, peerIdentity, request } from "../telemetry/exchange-fixture.ts";
import { decodePeerMetadata, encodePeerMetadata } from "../telemetry/peer-metadata.ts";
import { createIstioStatsFilter } from "./istio-stats.ts";
import { outbound, plan, spiffe, workload } from "./istio-stats-fixture.ts";

describe("peer metadata on the wire", () => {
  const forged = encodePeerMetadata(workload("productpage"));
  const received = (peerUris: readonly string[] | undefined, encoded = forged) => {
    const call = exchange({
      connection: connection(peerUris ? { isTls: true, peer: peerIdentity({ uris: peerUris }) } : {}),
      request: request({ "x-envoy-peer-metadata": encoded, "x-envoy-peer-metadata-id": "someone" }),
    });
    createIstioStatsFilter(plan("destination"), new MetricRegistry(), new FakeClock()).onRequest!(call);
    return call;
  };

  it("is offered once per upstream connection by the caller", () => {
    const call = outbound();
    createIstioStatsFilter(plan("source"), new MetricRegistry(), new FakeClock()).onRequest!(call);
    const [name, value, idName, id] = call.upstreamConnectionHeaders!;
    assert.deepEqual([name, idName], ["x-envoy-peer-metadata", "x-envoy-peer-metadata-id"]);
    assert.deepEqual(decodePeerMetadata(value!), workload("productpage"));
    assert.match(id!, /^sidecar~/);
  });

  it("never reaches the application, nor passes through from it", () => {
    const call = received([spiffe("productpage")]);
    assert.deepEqual(call.request!.headers.flat, []);
    assert.equal(call.upstreamConnectionHeaders, undefined);
    const out = outbound({ request: request({ "x-envoy-peer-metadata": forged }) });
    createIstioStatsFilter(plan("source"), new MetricRegistry(), new FakeClock()).onRequest!(out);
    assert.deepEqual(out.request!.headers.flat, []);
    assert.equal(out.connection.peerMetadata, undefined);
  });

  it("is believed from a verified peer, for the namespace of its certificate only", () => {
    assert.equal(received([spiffe("productpage")]).connection.peerMetadata?.workload, "productpage-v1");
    assert.equal(received(undefined).connection.peerMetadata, undefined);
    assert.equal(received(["spiffe://cluster.local/ns/other/sa/x"]).connection.peerMetadata, undefined);
    assert.equal(received([spiffe("productpage")], "nonsense!").connection.peerMetadata, undefined);
  });
});
