import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { xdsResource } from "@weft/testkit/fake-ads";
import { cleanups, cluster, connect, serve } from "./ads-fixture.ts";
import { ClusterSchema } from "./gen/envoy/config/cluster/v3/cluster_pb.js";
import { DeltaDiscoveryRequestSchema } from "./gen/envoy/service/discovery/v3/discovery_pb.js";
import { GrpcError, grpcCode } from "./grpc/grpc-status.ts";
import { frameMessage } from "./grpc/message-framing.ts";
import { typeUrl } from "./type-url.ts";

describe("the ADS server", { timeout: 120_000 }, () => {
  it("takes health reports without answering them, and tells of a stream's end once", async () => {
    const server = await serve();
    const { client } = connect(server.port, "delta", {
      onState: (state) => {
        if (state.t !== "connected" || state.isAnswered) return;
        assert.ok(client.report(typeUrl.health));
        client.report(typeUrl.health, {
          error: "the application does not answer on 9080",
          names: ["a", "b"],
        });
      },
    });
    client.start();
    await server.wait(() => server.custom.length === 2);
    assert.deepEqual(server.custom, [
      { typeUrl: typeUrl.health, error: undefined, names: [] },
      { typeUrl: typeUrl.health, error: "the application does not answer on 9080", names: ["a", "b"] },
    ]);
    assert.deepEqual(server.connected[0]!.types, []);
    client.close();
    await server.wait(() => server.disconnected.length === 1);
    assert.deepEqual(server.disconnected, [server.connected[0]!.id]);
  });

  it("refuses a client by its node with the code it was given", async () => {
    const server = await serve((id) => {
      throw new GrpcError(grpcCode.permissionDenied, `${id} may not connect`);
    });
    const refused = Promise.withResolvers<GrpcError>();
    const { client } = connect(server.port, "delta", {
      onState: (state) => {
        if (state.t === "waiting") refused.resolve(state.error);
      },
    });
    client.subscribe(typeUrl.cluster, "*");
    client.start();
    const error = await refused.promise;
    client.close();
    assert.equal(error.code, grpcCode.permissionDenied);
    assert.match(error.message, /^sidecar~10.* may not connect$/);
    assert.deepEqual(server.disconnected, []);
  });

  it("answers a wildcard of a type nobody serves with an empty state", async () => {
    const server = await serve();
    const { client, seen } = connect(server.port, "sotw");
    client.subscribe(typeUrl.nameTable, "*");
    client.start();
    assert.deepEqual(await seen.take(1), ["NDS"]);
    await server.wait(() => server.connected[0]!.settledSnapshot !== undefined);
  });

  it("tells a slow client only of the newest state", async () => {
    const server = await serve();
    const versions: string[] = [];
    const { client } = connect(server.port, "delta", {
      handler: { onResources: (_, { version }) => void versions.push(version) },
    });
    client.subscribe(typeUrl.cluster, "*");
    client.start();
    await server.wait(() => server.connected.length === 1);
    const session = server.connected[0]!;
    await server.wait(() => session.types.some((type) => type.ackedMs !== undefined));
    const snapshot = (n: number) => ({
      version: `v${n}`,
      byType: new Map([
        [
          typeUrl.cluster,
          new Map([["a", xdsResource("a", ClusterSchema, cluster("a", "x".repeat(100_000) + n))]]),
        ],
      ]),
    });
    versions.length = 0;
    // All in one turn: the client cannot have answered in between.
    for (let n = 1; n <= 50; n++) session.setSnapshot(snapshot(n));
    await server.wait(() => session.settledSnapshot?.version === "v50");
    assert.deepEqual(versions, ["v1", "v50"]);
    assert.deepEqual(server.troubles, ["CDS held back"], "told once, however often it was put off");
    const [empty, first, last] = server.sent;
    assert.ok(server.sent.length === 3 && empty! < 1_000 && first! > 100_000 && last! > 100_000);
  });

  it("writes nothing more to a client that does not read", async () => {
    const server = await serve();
    const session = connectHttp2(`http://127.0.0.1:${server.port}`);
    cleanups.push(() => session.destroy());
    const stream = session.request({
      ":method": "POST",
      ":path": "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
      "content-type": "application/grpc",
    });
    const first = create(DeltaDiscoveryRequestSchema, { typeUrl: typeUrl.cluster, node: { id: "slow" } });
    stream.write(frameMessage(toBinary(DeltaDiscoveryRequestSchema, first)));
    await server.wait(() => server.connected.length === 1);
    for (let n = 1; n <= 50; n++) {
      const resource = xdsResource("a", ClusterSchema, cluster("a", "x".repeat(200_000) + n));
      const byType = new Map([[typeUrl.cluster, new Map([["a", resource]])]]);
      server.connected[0]!.setSnapshot({ version: `v${n}`, byType });
      // As if every answer were overdue: only the full buffer is left to hold it back.
      server.connected[0]!.sweep(Number.POSITIVE_INFINITY);
    }
    assert.equal(server.connected[0]!.types[0]!.sentVersion, "v1");
    assert.ok(server.troubles.includes("CDS overdue"));
  });

  it("keeps 1,000 streams in one process up to date", async () => {
    const server = await serve();
    const clients = 1_000;
    const held = new Set<number>();
    const clientsSeen = Array.from({ length: clients }, (_, i) =>
      connect(server.port, i % 2 === 0 ? "delta" : "sotw", {
        handler: {
          onResources(_, { added }) {
            if (added.some(({ body }) => Buffer.from(body).includes("last"))) held.add(i);
          },
        },
      }),
    );
    for (const { client } of clientsSeen) {
      client.subscribe(typeUrl.cluster, "*");
      client.start();
    }
    await server.wait(() => server.connected.length === clients);
    for (const altStatName of ["first", "last"]) {
      const byName = new Map([["a", xdsResource("a", ClusterSchema, cluster("a", altStatName))]]);
      const snapshot = { version: altStatName, byType: new Map([[typeUrl.cluster, byName]]) };
      for (const session of server.ads.sessions) session.setSnapshot(snapshot);
    }
    await server.wait(() => server.ads.sessions.every((one) => one.settledSnapshot?.version === "last"));
    assert.equal(held.size, clients);
    for (const { client } of clientsSeen) client.close();
    await server.wait(() => server.disconnected.length === clients);
    assert.deepEqual(server.ads.sessions, []);
  });
});
