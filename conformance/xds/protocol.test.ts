/**
 * The xDS protocol, message by message, against the server: what a client may
 * ask, what it is answered, and what it cannot bring about.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { AdsServer, type AdsSession } from "@weft/xds/ads-server";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { Snapshot, XdsResource } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";
import { type DeltaFields, Stream } from "./stream.ts";

const { cluster, endpoint, virtualHost } = typeUrl;
const node = { id: "sidecar~127.0.0.1~a.default~default.svc.cluster.local" };

const resource = (name: string, version = 1): XdsResource => ({
  name,
  version: String(version),
  body: new Uint8Array([0x0a, name.length, ...Buffer.from(name)]),
});
function snapshot(clusters: readonly XdsResource[], endpoints: readonly XdsResource[] = []): Snapshot {
  const map = (list: readonly XdsResource[]) => new Map(list.map((one) => [one.name, one]));
  return {
    byType: new Map([
      [cluster, map(clusters)],
      [endpoint, map(endpoints)],
    ]),
  };
}

let current: Snapshot;
let nacks: string[];
let acks = 0;
let port: number;
const sessions = new Set<AdsSession>();
const ads = new AdsServer({
  clock: systemClock,
  ackTimeoutMs: 1_000,
  admit(claimed) {
    if (claimed.id === "another's") throw new GrpcError(grpcCode.permissionDenied, "not your node");
  },
  events: {
    onConnected(session) {
      sessions.add(session);
      session.setSnapshot(current);
    },
    onDisconnected: (session) => void sessions.delete(session),
    onAck() {
      acks += 1;
    },
    onNack: (_session, _type, error) => void nacks.push(error),
  },
});
const server = new GrpcServer({
  clock: systemClock,
  routes: ads.routes("aggregated"),
  maxMessageBytes: 1 << 20,
  onError: (error) => assert.fail(String(error)),
});

before(async () => {
  ({ port } = await server.listen({ host: "127.0.0.1", port: 0 }));
});
after(() => server.close());

function push(next: Snapshot): void {
  current = next;
  for (const session of sessions) session.setSnapshot(next);
}

function begin(clusters: readonly XdsResource[], endpoints: readonly XdsResource[] = []): void {
  push(snapshot(clusters, endpoints));
  nacks = [];
  acks = 0;
}

const names = (response: { readonly resources: readonly { readonly name?: string }[] }) =>
  response.resources.map(({ name }) => name);

describe("a delta stream", () => {
  async function opened(request: DeltaFields) {
    const stream = await Stream.delta(port);
    stream.sendDelta({ node, ...request });
    return stream;
  }
  const ack = (stream: Stream<unknown>, { typeUrl, nonce }: { typeUrl: string; nonce: string }) =>
    stream.sendDelta({ typeUrl, responseNonce: nonce });

  test("without names brings everything of clusters, and an ACK is the end of it", async () => {
    begin([resource("a"), resource("b")]);
    const stream = await opened({ typeUrl: cluster });
    const first = await stream.next();
    assert.deepEqual(names(first), ["a", "b"]);
    ack(stream, first);
    await stream.silence();
    assert.equal(acks, 1);
    stream.close();
  });

  test("brings only named endpoints, and says that one does not exist", async () => {
    begin([], [resource("a"), resource("b")]);
    const stream = await opened({ typeUrl: endpoint, resourceNamesSubscribe: ["a", "gone"] });
    const first = await stream.next();
    assert.deepEqual(names(first), ["a"]);
    ack(stream, first);
    assert.deepEqual((await stream.next()).removedResources, ["gone"]);
    stream.close();
  });

  test("hears of what changed, came and went, and of nothing else", async () => {
    begin([resource("a"), resource("b")]);
    const stream = await opened({ typeUrl: cluster });
    ack(stream, await stream.next());
    push(snapshot([resource("a", 2), resource("c")]));
    const update = await stream.next();
    assert.deepEqual(names(update), ["a", "c"]);
    ack(stream, update);
    assert.deepEqual((await stream.next()).removedResources, ["b"]);
    stream.close();
  });

  test("hears nothing more of what it unsubscribed, and gets it anew when it subscribes again", async () => {
    begin([], [resource("a")]);
    const stream = await opened({ typeUrl: endpoint, resourceNamesSubscribe: ["a"] });
    ack(stream, await stream.next());
    stream.sendDelta({ typeUrl: endpoint, resourceNamesUnsubscribe: ["a"] });
    await stream.silence();
    push(snapshot([], [resource("a", 2)]));
    await stream.silence();
    stream.sendDelta({ typeUrl: endpoint, resourceNamesSubscribe: ["a"] });
    const again = await stream.next();
    assert.deepEqual([names(again), again.resources[0]!.version], [["a"], "2"]);
    stream.close();
  });

  test("that comes back with versions gets only what differs, and hears what is gone", async () => {
    begin([resource("same"), resource("changed", 2)]);
    const stream = await opened({
      typeUrl: cluster,
      initialResourceVersions: { same: "1", changed: "1", gone: "1" },
    });
    const first = await stream.next();
    assert.deepEqual(names(first), ["changed"]);
    ack(stream, first);
    assert.deepEqual((await stream.next()).removedResources, ["gone"]);
    stream.close();
  });

  test("that learns is given by its wildcard what is not on demand, and the rest by name", async () => {
    const onDemand = (name: string, version = 1) => ({ ...resource(name, version), isOnDemand: true });
    const learnt = (clusters: readonly XdsResource[]) => ({ ...snapshot(clusters), isLearnt: true });
    begin([]);
    push(learnt([resource("fixed"), onDemand("used"), onDemand("unused")]));
    const stream = await opened({ typeUrl: cluster });
    const first = await stream.next();
    assert.deepEqual(names(first), ["fixed"]);
    ack(stream, first);
    stream.sendDelta({ typeUrl: cluster, resourceNamesSubscribe: ["used", "nowhere"] });
    const asked = await stream.next();
    assert.deepEqual(names(asked), ["used"]);
    ack(stream, asked);
    const missing = await stream.next();
    assert.deepEqual(missing.removedResources, ["nowhere"]);
    ack(stream, missing);
    push(learnt([resource("fixed"), onDemand("used", 2), onDemand("unused", 2)]));
    const update = await stream.next();
    assert.deepEqual(names(update), ["used"]);
    ack(stream, update);
    stream.sendDelta({ typeUrl: cluster, resourceNamesUnsubscribe: ["used"] });
    assert.deepEqual((await stream.next()).removedResources, ["used"], "the wildcard does not bring it");
    push(learnt([resource("fixed"), resource("used", 2), onDemand("unused", 2)]));
    assert.deepEqual(names(await stream.next()), ["used"], "the same content, now for all");
    stream.close();
  });

  test("gets virtual hosts by name alone, keeps those it names, and gives them up", async () => {
    const hosts = (...list: readonly XdsResource[]): Snapshot => ({
      byType: new Map([[virtualHost, new Map(list.map((one) => [one.name, { ...one, isOnDemand: true }]))]]),
      isLearnt: true,
    });
    begin([]);
    push(hosts(resource("80/a"), resource("80/b"), resource("80/unused")));
    const stream = await opened({ typeUrl: virtualHost, resourceNamesSubscribe: ["80/a", "80/gone"] });
    const first = await stream.next();
    assert.deepEqual(names(first), ["80/a"]);
    assert.deepEqual(first.removedResources, ["80/gone"], "it is said not to exist");
    ack(stream, first);
    stream.sendDelta({ typeUrl: virtualHost, resourceNamesSubscribe: ["80/b"] });
    const second = await stream.next();
    assert.deepEqual(names(second), ["80/b"], "and nothing again");
    const errorDetail = { code: 3, message: "virtual host '80/b': no such filter" };
    stream.sendDelta({ typeUrl: virtualHost, responseNonce: second.nonce, errorDetail });
    await stream.silence();
    assert.deepEqual(nacks, ["virtual host '80/b': no such filter"]);
    push(hosts(resource("80/a", 2), resource("80/b"), resource("80/gone"), resource("80/unused", 2)));
    const later = await stream.next();
    assert.deepEqual(
      names(later).toSorted(),
      ["80/a", "80/gone"],
      "what changed and what came; not what it refused",
    );
    ack(stream, later);
    stream.sendDelta({ typeUrl: virtualHost, resourceNamesUnsubscribe: ["80/a"] });
    await stream.silence();
    push(hosts(resource("80/a", 3), resource("80/b"), resource("80/unused", 3)));
    const last = await stream.next();
    assert.deepEqual([names(last), last.removedResources], [[], ["80/gone"]]);
    stream.close();
    const back = await opened({
      typeUrl: virtualHost,
      resourceNamesSubscribe: ["80/a", "80/b", "80/gone"],
      initialResourceVersions: { "80/a": "3", "80/b": "0", "80/gone": "1" },
    });
    const differing = await back.next();
    assert.deepEqual([names(differing), differing.removedResources], [["80/b"], ["80/gone"]]);
    back.close();
  });

  test("that refuses is not told the same again, and is told once it changes", async () => {
    begin([resource("a")]);
    const stream = await opened({ typeUrl: cluster });
    const first = await stream.next();
    const errorDetail = { code: 3, message: "no such thing" };
    stream.sendDelta({ typeUrl: cluster, responseNonce: first.nonce, errorDetail });
    await stream.silence();
    assert.deepEqual(nacks, ["no such thing"]);
    push(snapshot([resource("a")]));
    await stream.silence();
    push(snapshot([resource("a", 2)]));
    assert.deepEqual(names(await stream.next()), ["a"]);
    stream.close();
  });

  test("that answers with a nonce of the past has answered nothing", async () => {
    begin([resource("a")]);
    const stream = await opened({ typeUrl: cluster });
    ack(stream, await stream.next());
    push(snapshot([resource("a", 2)]));
    await stream.next();
    const errorDetail = { message: "late" };
    stream.sendDelta({ typeUrl: cluster, responseNonce: "1", errorDetail });
    await stream.silence();
    assert.deepEqual([acks, nacks], [1, []]);
    stream.close();
  });

  test("that is slow to answer hears only of the newest state", async () => {
    begin([resource("a")]);
    const stream = await opened({ typeUrl: cluster });
    const first = await stream.next();
    for (let version = 2; version <= 50; version += 1) push(snapshot([resource("a", version)]));
    await stream.silence();
    ack(stream, first);
    assert.equal((await stream.next()).resources[0]!.version, "50");
    await stream.silence();
    stream.close();
  });

  test("that never answers is told the newest state after a while, and holds up nobody", async () => {
    begin([resource("a")]);
    const [deaf, other] = [await opened({ typeUrl: cluster }), await opened({ typeUrl: cluster })];
    await deaf.next();
    ack(other, await other.next());
    push(snapshot([resource("a", 2)]));
    assert.equal((await other.next()).resources[0]!.version, "2");
    assert.equal((await deaf.next()).resources[0]!.version, "2");
    deaf.close();
    other.close();
  });

  test("is told endpoints again when their cluster changes, although they are the same", async () => {
    const awaits = { typeUrl: endpoint, name: "a" };
    begin([{ ...resource("a"), awaits }], [resource("a")]);
    const stream = await opened({ typeUrl: cluster });
    ack(stream, await stream.next());
    stream.sendDelta({ typeUrl: endpoint, resourceNamesSubscribe: ["a"] });
    ack(stream, await stream.next());
    push(snapshot([{ ...resource("a", 2), awaits }], [resource("a")]));
    const types = [(await stream.next()).typeUrl, (await stream.next()).typeUrl];
    assert.deepEqual(types, [cluster, endpoint]);
    stream.close();
  });

  test("of a type that nobody serves is answered once, with nothing", async () => {
    begin([]);
    const stream = await opened({ typeUrl: "type.googleapis.com/no.such.Type" });
    const first = await stream.next();
    assert.deepEqual(names(first), []);
    ack(stream, first);
    await stream.silence();
    stream.close();
  });

  test("has no resource with a time to live: what it was told holds until it is told otherwise", async () => {
    begin([resource("a")]);
    const stream = await opened({ typeUrl: cluster });
    assert.equal((await stream.next()).resources[0]!.ttl, undefined);
    stream.close();
  });
});

describe("a state-of-the-world stream", () => {
  test("gets all clusters with every change, and what is left out is gone", async () => {
    begin([resource("a"), resource("b")]);
    const stream = await Stream.sotw(port);
    stream.sendSotw({ node, typeUrl: cluster });
    const first = await stream.next();
    assert.equal(first.resources.length, 2);
    stream.sendSotw({ typeUrl: cluster, responseNonce: first.nonce, versionInfo: first.versionInfo });
    push(snapshot([resource("b")]));
    assert.equal((await stream.next()).resources.length, 1);
    stream.close();
  });

  test("gets the endpoints it names, and by naming fewer gives the others up", async () => {
    begin([], [resource("a"), resource("b")]);
    const stream = await Stream.sotw(port);
    stream.sendSotw({ node, typeUrl: endpoint, resourceNames: ["a", "b"] });
    const { nonce: responseNonce } = await stream.next();
    stream.sendSotw({ typeUrl: endpoint, resourceNames: ["a"], responseNonce });
    await stream.silence();
    push(snapshot([], [resource("a"), resource("b", 2)]));
    await stream.silence();
    push(snapshot([], [resource("a", 2), resource("b", 2)]));
    assert.equal((await stream.next()).resources.length, 1);
    stream.close();
  });
});

describe("what is refused", () => {
  const refusals: readonly [what: string, code: number, send: (stream: Stream<unknown>) => void][] = [
    ["a stream that never says whose it is", grpcCode.deadlineExceeded, () => {}],
    ["bytes that are no request", grpcCode.invalidArgument, (s) => s.sendBytes(Buffer.alloc(64, 0xff))],
    ["a first request without a node", grpcCode.invalidArgument, (s) => s.sendDelta({ typeUrl: cluster })],
    ["a request without a type", grpcCode.invalidArgument, (s) => s.sendDelta({ node })],
    [
      "a node that is another's",
      grpcCode.permissionDenied,
      (s) => s.sendDelta({ node: { id: "another's" }, typeUrl: cluster }),
    ],
    [
      "a request larger than the limit",
      grpcCode.resourceExhausted,
      (s) => s.sendBytes(Buffer.alloc((1 << 20) + 1)),
    ],
    [
      "more names than a mesh has",
      grpcCode.resourceExhausted,
      (s) => {
        const many = Array.from({ length: 30_000 }, (_, i) => `n${i}`);
        s.sendDelta({ node, typeUrl: endpoint, resourceNamesSubscribe: many });
        s.sendDelta({ typeUrl: endpoint, resourceNamesSubscribe: many.map((name) => `x${name}`) });
      },
    ],
    [
      "more types than there are",
      grpcCode.resourceExhausted,
      (s) => {
        for (let i = 0; i < 40; i += 1) s.sendDelta({ node, typeUrl: `type.googleapis.com/t.T${i}` });
      },
    ],
  ];
  for (const [what, code, send] of refusals) {
    test(`${what}, with a status that says so; no other stream notices`, async () => {
      begin([resource("a")]);
      const [bad, good] = [await Stream.delta(port), await Stream.delta(port)];
      good.sendDelta({ node, typeUrl: cluster });
      const first = await good.next();
      send(bad);
      assert.equal((await bad.end())?.code, code);
      good.sendDelta({ typeUrl: cluster, responseNonce: first.nonce });
      push(snapshot([resource("a", 2)]));
      assert.deepEqual(names(await good.next()), ["a"]);
      bad.close();
      good.close();
    });
  }
});
