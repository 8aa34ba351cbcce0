import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { cluster, connect, endpoints, fake, listener, route, secret } from "./ads-fixture.ts";
import { RouteConfigurationSchema } from "./gen/envoy/config/route/v3/route_pb.js";
import { typeUrl } from "./type-url.ts";

for (const mode of ["delta", "sotw"] as const) {
  describe(`${mode} client and server`, { timeout: 120_000 }, () => {
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

describe("a delta client", { timeout: 120_000 }, () => {
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
