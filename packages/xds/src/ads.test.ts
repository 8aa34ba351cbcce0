import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { after, describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { FakeAds, xdsResource } from "@weft/testkit/fake-ads";
import { AdsClient, type AdsHandler, type AdsState, type ResourceUpdate } from "./ads-client.ts";
import { AdsServer, type AdsSession, type CustomRequest } from "./ads-server.ts";
import { ClusterSchema } from "./gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "./gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "./gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "./gen/envoy/config/route/v3/route_pb.js";
import { SecretSchema } from "./gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { DeltaDiscoveryRequestSchema } from "./gen/envoy/service/discovery/v3/discovery_pb.js";
import { GrpcServer } from "./grpc/grpc-server.ts";
import { GrpcError, grpcCode } from "./grpc/grpc-status.ts";
import { frameMessage } from "./grpc/message-framing.ts";
import { typeUrl } from "./type-url.ts";

const cleanups: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const cluster = (name: string, altStatName = "") => create(ClusterSchema, { name, altStatName });
const endpoints = (clusterName: string, weight = 0) =>
  create(ClusterLoadAssignmentSchema, {
    clusterName,
    policy: { overprovisioningFactor: 100 + weight },
  });
const listener = (name: string) => create(ListenerSchema, { name });
const route = (name: string) => create(RouteConfigurationSchema, { name });
const secret = (name: string) => create(SecretSchema, { name });

const shortName: Readonly<Record<string, string>> = {
  [typeUrl.listener]: "LDS",
  [typeUrl.route]: "RDS",
  [typeUrl.cluster]: "CDS",
  [typeUrl.endpoint]: "EDS",
  [typeUrl.secret]: "SDS",
  [typeUrl.nameTable]: "NDS",
};

/** A client that writes down what it is given as `CDS +a +b -c`, and refuses what it is told to. */
class Recorder implements AdsHandler {
  readonly seen: string[] = [];
  readonly refuse = new Map<string, string>();
  readonly #waiting: (() => void)[] = [];

  onResources(url: string, { added, removed }: ResourceUpdate): string | undefined {
    const type = shortName[url] ?? url;
    const names = [...added.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)];
    this.seen.push([type, ...names.sort()].join(" "));
    for (const wake of this.#waiting.splice(0)) wake();
    return this.refuse.get(type);
  }

  /** What came since last asked, once there is so much of it. */
  async take(count: number): Promise<readonly string[]> {
    while (this.seen.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.seen.splice(0);
  }
}

interface Connected {
  readonly client: AdsClient;
  readonly seen: Recorder;
  readonly states: AdsState[];
}

function connect(
  port: number,
  mode: "delta" | "sotw",
  options: Partial<ConstructorParameters<typeof AdsClient>[0]> = {},
): Connected {
  const seen = new Recorder();
  const states: AdsState[] = [];
  const client = new AdsClient({
    clock: systemClock,
    target: { address: { host: "127.0.0.1", port } },
    node: () => ({ id: "sidecar~10.0.0.1~a.default~default.svc.cluster.local", cluster: "a" }),
    mode,
    handler: seen,
    onState: (state) => states.push(state),
    backoff: { baseMs: 5, maxMs: 20 },
    ...options,
  });
  cleanups.push(() => client.close());
  return { client, seen, states };
}

async function fake(): Promise<FakeAds> {
  const ads = await FakeAds.start();
  cleanups.push(() => ads.close());
  return ads;
}

for (const mode of ["delta", "sotw"] as const) {
  describe(`${mode} client and server`, { timeout: 30_000 }, () => {
    it("bring everything of a wildcard and only the named of the rest, in order of reference", async () => {
      const ads = await fake();
      ads.push({
        listeners: [listener("l")],
        routes: [route("r"), route("unasked")],
        clusters: [cluster("a"), cluster("b")],
        endpoints: [endpoints("a"), endpoints("b"), endpoints("unasked")],
      });
      const { client, seen } = connect(ads.port, mode);
      client.subscribe(typeUrl.route, ["r"]);
      client.subscribe(typeUrl.listener, "*");
      client.subscribe(typeUrl.endpoint, ["a", "b"]);
      client.subscribe(typeUrl.cluster, "*");
      client.start();
      assert.deepEqual((await seen.take(4)).toSorted(), ["CDS +a +b", "EDS +a +b", "LDS +l", "RDS +r"]);
      await ads.settled();
      ads.push({
        listeners: [listener("l2")],
        routes: [create(RouteConfigurationSchema, { name: "r", mostSpecificHeaderMutationsWins: true })],
        clusters: [cluster("a", "changed"), cluster("b")],
        endpoints: [endpoints("a", 1), endpoints("b")],
      });
      const all = mode === "sotw" ? "CDS +a +b" : "CDS +a";
      assert.deepEqual(await seen.take(4), [all, "EDS +a", "LDS +l2 -l", "RDS +r"]);
    });

    it("add a cluster before, and take one away after, the routes that use it", async () => {
      const ads = await fake();
      ads.push({ clusters: [cluster("old")], routes: [route("r")], endpoints: [endpoints("old")] });
      const { client, seen } = connect(ads.port, mode);
      client.subscribe(typeUrl.cluster, "*");
      client.subscribe(typeUrl.route, ["r"]);
      client.start();
      await seen.take(2);
      await ads.settled();
      ads.push({
        clusters: [cluster("new")],
        routes: [create(RouteConfigurationSchema, { name: "r", mostSpecificHeaderMutationsWins: true })],
      });
      const expected =
        mode === "sotw" ? ["CDS +new +old", "RDS +r", "CDS +new -old"] : ["CDS +new", "RDS +r", "CDS -old"];
      assert.deepEqual(await seen.take(3), expected);
    });

    it("change names while running, and hear of a name again after giving it up", async () => {
      const ads = await fake();
      ads.push({ endpoints: [endpoints("a"), endpoints("b")] });
      const { client, seen } = connect(ads.port, mode);
      client.subscribe(typeUrl.endpoint, []);
      client.start();
      await ads.connected(0);
      client.subscribe(typeUrl.endpoint, ["a"]);
      assert.deepEqual(await seen.take(1), ["EDS +a"]);
      client.subscribe(typeUrl.endpoint, ["a", "b"]);
      assert.deepEqual(await seen.take(1), ["EDS +b"]);
      client.subscribe(typeUrl.endpoint, ["b"]);
      client.subscribe(typeUrl.endpoint, ["a", "b"]);
      assert.deepEqual(await seen.take(1), ["EDS +a"]);
    });

    it("do not repeat a refused update until it changes, and keep its text", async () => {
      const ads = await fake();
      const { client, seen } = connect(ads.port, mode);
      seen.refuse.set("CDS", "cluster a: connect_timeout is negative");
      client.subscribe(typeUrl.cluster, "*");
      client.start();
      ads.push({ clusters: [cluster("a")] });
      assert.match(await ads.expectNack("CDS"), /connect_timeout is negative/);
      const [session] = await ads.connected(1);
      assert.match(session!.types[0]!.error ?? "", /connect_timeout/);
      seen.seen.length = 0;
      // Another type moves, the refused one does not: nothing is said about it.
      ads.push({ listeners: [listener("l")] });
      client.subscribe(typeUrl.listener, "*");
      assert.deepEqual(await seen.take(1), ["LDS +l"]);
      await ads.expectAck("LDS");
      seen.refuse.clear();
      ads.push({ clusters: [cluster("a", "good")] });
      assert.deepEqual(await seen.take(1), ["CDS +a"]);
      await ads.expectAck("CDS");
      assert.equal(session!.types.find((type) => type.typeUrl === typeUrl.cluster)!.error, undefined);
    });

    it("answer a thrown error and a resource of the wrong type with a NACK", async () => {
      const ads = await fake();
      ads.push({ clusters: [cluster("a")] });
      const { client } = connect(ads.port, mode, {
        handler: {
          onResources() {
            throw new Error("cannot be read");
          },
        },
      });
      client.subscribe(typeUrl.cluster, "*");
      client.start();
      assert.equal(await ads.expectNack("CDS"), "cannot be read");
    });

    it("come back after the server was away", async () => {
      const ads = await fake();
      ads.push({ clusters: [cluster("a"), cluster("b"), cluster("gone")], endpoints: [endpoints("a")] });
      const { client, seen, states } = connect(ads.port, mode);
      client.subscribe(typeUrl.cluster, "*");
      client.subscribe(typeUrl.endpoint, ["a"]);
      client.start();
      await seen.take(2);
      await ads.settled();
      ads.disconnect();
      await ads.connected(0);
      seen.seen.length = 0;
      ads.push({ clusters: [cluster("a"), cluster("b", "changed"), cluster("new")] });
      await ads.connected(1);
      await ads.settled();
      // Only a delta client can say what it holds.
      const expected = mode === "delta" ? ["CDS +b +new", "CDS -gone"] : ["CDS +a +b +new -gone", "EDS +a"];
      assert.deepEqual(await seen.take(2), expected);
      const lost = states.find((state) => state.t === "waiting");
      assert.match(String(lost?.error), /UNAVAILABLE: the server is stopping/);
      assert.deepEqual(states.at(-1), { t: "connected", isAnswered: true });
    });

    it("speak SDS on its own service", async () => {
      const ads = await fake();
      ads.push({ secrets: [secret("default"), secret("ROOTCA"), secret("other")] });
      const { client, seen } = connect(ads.port, mode, { service: "secret" });
      client.subscribe(typeUrl.secret, ["default", "ROOTCA"]);
      client.start();
      assert.deepEqual(await seen.take(1), ["SDS +ROOTCA +default"]);
      client.subscribe(typeUrl.cluster, "*");
      await ads.connected(0);
    });
  });
}

describe("a delta client", { timeout: 30_000 }, () => {
  it("is told that a named resource does not exist, and when it does", async () => {
    const ads = await fake();
    ads.push({ endpoints: [] });
    const { client, seen } = connect(ads.port, "delta");
    client.subscribe(typeUrl.endpoint, ["late"]);
    client.start();
    assert.deepEqual(await seen.take(1), ["EDS -late"]);
    ads.push({ endpoints: [endpoints("late")] });
    assert.deepEqual(await seen.take(1), ["EDS +late"]);
  });
});

describe("the server", { timeout: 30_000 }, () => {
  interface Served {
    readonly port: number;
    readonly ads: AdsServer;
    readonly connected: AdsSession[];
    readonly custom: CustomRequest[];
    readonly disconnected: number[];
    /** Sizes of responses. */
    readonly sent: number[];
    readonly troubles: string[];
    wait(isTrue: () => boolean): Promise<void>;
  }

  async function serve(admit: (id: string) => void = () => {}): Promise<Served> {
    const connected: AdsSession[] = [];
    const custom: CustomRequest[] = [];
    const disconnected: number[] = [];
    const sent: number[] = [];
    const troubles: string[] = [];
    const waiting = new Set<() => void>();
    const wake = () => {
      for (const check of waiting) check();
    };
    const ads = new AdsServer({
      clock: systemClock,
      customTypes: [typeUrl.health],
      admit: (node) => admit(node.id),
      events: {
        onConnected(session) {
          connected.push(session);
          session.setSnapshot({ byType: new Map() });
          wake();
        },
        onDisconnected(session) {
          disconnected.push(session.id);
          wake();
        },
        onSent: (_, __, bytes) => void sent.push(bytes),
        onTrouble: (_, type, trouble) => void troubles.push(`${shortName[type ?? ""]} ${trouble}`),
        onAck: wake,
        onSettled: wake,
        onCustomRequest(_, request) {
          custom.push(request);
          wake();
        },
      },
    });
    const grpc = new GrpcServer({
      clock: systemClock,
      routes: ads.routes("aggregated"),
      onError: (error) => assert.fail(String(error)),
    });
    const { port } = await grpc.listen({ host: "127.0.0.1", port: 0 });
    cleanups.push(() => grpc.close());
    const wait = (isTrue: () => boolean) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (!isTrue()) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      });
    return { port, ads, connected, custom, disconnected, sent, troubles, wait };
  }

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
