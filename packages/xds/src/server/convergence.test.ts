import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { xdsResource } from "@weft/testkit/fake-ads";
import { FakeClock } from "@weft/testkit/fake-clock";
import fc from "@weft/testkit/properties";
import type { OutgoingRequest } from "../client/client-protocol.ts";
import { deltaClient } from "../client/delta-client.ts";
import { sotwClient } from "../client/sotw-client.ts";
import { Subscription } from "../client/subscription.ts";
import { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { NodeSchema } from "../gen/envoy/config/core/v3/base_pb.js";
import { ClusterLoadAssignmentSchema } from "../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { isGiven, type Snapshot, type XdsResource } from "../snapshot.ts";
import { isWholeInSotw, typeUrl } from "../type-url.ts";
import { AdsSession } from "./ads-session.ts";
import { delta } from "./delta.ts";
import { SendBudget } from "./send-budget.ts";
import { sotw } from "./sotw.ts";

const names = ["a", "b", "c"] as const;
const types = [typeUrl.cluster, typeUrl.endpoint] as const;
type Type = (typeof types)[number];

/** A server session and a client with the network between them, which delivers when it is told to. */
class Pair {
  readonly session: AdsSession;
  readonly client: typeof deltaClient;
  readonly subscriptions = new Map<Type, Subscription>();
  readonly holds = new Map<Type, Map<string, string>>();
  readonly #toServer: Uint8Array[] = [];
  readonly #toClient: Uint8Array[] = [];
  isRefusing = false;
  responses = 0;
  maxUnanswered = 0;

  constructor(mode: "delta" | "sotw") {
    this.client = mode === "delta" ? deltaClient : sotwClient;
    for (const type of types) {
      this.subscriptions.set(type, new Subscription(type));
      this.holds.set(type, new Map());
    }
    this.session = new AdsSession({
      id: 1,
      clock: new FakeClock(),
      call: {
        peer: { address: "", isEncrypted: false, spiffeId: undefined, certificateProblem: undefined },
        isWritable: true,
        accept() {},
        end() {},
        sendParts: (parts) => {
          const message = Buffer.concat(parts);
          this.#toClient.push(message);
          this.maxUnanswered = Math.max(this.maxUnanswered, this.#toClient.length);
        },
        fail: (error) => assert.fail(String(error)),
      },
      protocol: mode === "delta" ? delta : sotw,
      events: { onConnected() {}, onDisconnected() {} },
      customTypes: new Set(),
      onlyType: undefined,
      ackTimeoutMs: 1_000,
      budget: new SendBudget(1 << 20),
      admit() {},
      onOver() {},
    });
  }

  subscribe(type: Type, wanted: "*" | readonly string[], also: readonly string[] = []): void {
    const subscription = this.subscriptions.get(type)!;
    const change = subscription.set(wanted, also);
    const holds = this.holds.get(type)!;
    for (const name of holds.keys()) if (!subscription.covers(name)) holds.delete(name);
    if (subscription.isOpen) this.#send(this.client.change(subscription, change));
    else if (subscription.isWanted) {
      subscription.isOpen = true;
      this.#send(this.client.first(subscription));
    }
  }

  deliverToServer(): boolean {
    const message = this.#toServer.shift();
    if (message) this.session.onMessage(message);
    return message !== undefined;
  }

  deliverToClient(): boolean {
    const message = this.#toClient.shift();
    if (!message) return false;
    this.responses += 1;
    const response = this.client.parse(message);
    assert.equal(response.problem, undefined);
    const subscription = this.subscriptions.get(response.typeUrl as Type)!;
    subscription.nonce = response.nonce;
    const update = this.client.updateOf(subscription, response);
    if (!this.isRefusing) {
      const holds = this.holds.get(response.typeUrl as Type)!;
      for (const { name, body } of update.added) holds.set(name, Buffer.from(body).toString("hex"));
      for (const name of update.removed) holds.delete(name);
      subscription.accept(update);
    }
    this.#send(this.client.answer(subscription, this.isRefusing ? "no" : undefined));
    return true;
  }

  deliverAll(): void {
    while (this.deliverToServer() || this.deliverToClient()) {}
  }

  #send({ schema, message }: OutgoingRequest): void {
    message.node = create(NodeSchema, { id: "x" });
    this.#toServer.push(toBinary(schema, message));
  }
}

const resource = (type: Type, name: string, revision: number): XdsResource =>
  type === typeUrl.cluster
    ? xdsResource(name, ClusterSchema, create(ClusterSchema, { name, altStatName: `${revision}` }))
    : xdsResource(
        name,
        ClusterLoadAssignmentSchema,
        create(ClusterLoadAssignmentSchema, {
          clusterName: name,
          policy: { overprovisioningFactor: 1 + revision },
        }),
      );

/** For each type and name a revision, or -1 for "does not exist". */
const content = fc.tuple(...types.map(() => fc.tuple(...names.map(() => fc.integer({ min: -1, max: 2 })))));

function snapshotOf(revisions: readonly (readonly number[])[], isLearnt: boolean): Snapshot {
  const byType = new Map<string, ReadonlyMap<string, XdsResource>>();
  types.forEach((type, t) => {
    const resources = new Map<string, XdsResource>();
    names.forEach((name, n) => {
      const revision = revisions[t]![n]!;
      const isOnDemand = name === "c";
      if (revision >= 0) resources.set(name, { ...resource(type, name, revision), isOnDemand });
    });
    byType.set(type, resources);
  });
  return { byType, isLearnt };
}

const step = fc.oneof(
  fc.tuple(content, fc.boolean()).map(([revisions, isLearnt]) => ({
    kind: "snapshot" as const,
    revisions,
    isLearnt,
  })),
  fc
    .record({
      type: fc.constantFrom(...types),
      wanted: fc.oneof(fc.constant("*" as const), fc.subarray([...names])),
      also: fc.subarray([...names]),
    })
    .map((asked) => ({ kind: "subscribe" as const, ...asked })),
  fc.constant({ kind: "to server" as const }),
  fc.constant({ kind: "to client" as const }),
  fc.boolean().map((isRefusing) => ({ kind: "refuse" as const, isRefusing })),
);

function assertHolds(pair: Pair, mode: string, snapshot: Snapshot): void {
  for (const [type, subscription] of pair.subscriptions) {
    const there = snapshot.byType.get(type)!;
    const expected = new Map<string, string>();
    for (const [name, one] of there) {
      if (isGiven(subscription, one, snapshot)) expected.set(name, Buffer.from(one.body).toString("hex"));
    }
    const holds = new Map(pair.holds.get(type));
    // State of the world has no way to take a part back.
    if (mode === "sotw" && !isWholeInSotw(type)) {
      for (const name of holds.keys()) if (!expected.has(name)) holds.delete(name);
    }
    assert.deepEqual(new Map([...holds].sort()), expected, `${mode} ${type}`);
  }
}

for (const mode of ["delta", "sotw"] as const) {
  describe(`${mode}: whatever happens in whatever order`, () => {
    it("the client ends with exactly what it asks for and there is", () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), content, content, fc.boolean(), (...given) => {
          const [steps, before, last, isLearnt] = given;
          const pair = new Pair(mode);
          for (const one of steps) {
            if (one.kind === "snapshot") pair.session.setSnapshot(snapshotOf(one.revisions, one.isLearnt));
            else if (one.kind === "subscribe") pair.subscribe(one.type, one.wanted, one.also);
            else if (one.kind === "to server") pair.deliverToServer();
            else if (one.kind === "to client") pair.deliverToClient();
            else pair.isRefusing = one.isRefusing;
          }
          if (!steps.some((one) => one.kind === "refuse")) {
            pair.session.setSnapshot(snapshotOf(before, isLearnt));
            pair.deliverAll();
            assertHolds(pair, mode, snapshotOf(before, isLearnt));
          }
          // What was refused comes again only once it changes: two last states, so that all of it does.
          pair.isRefusing = false;
          pair.session.setSnapshot(
            snapshotOf(
              before.map((row) => row.map(() => 7)),
              isLearnt,
            ),
          );
          pair.deliverAll();
          pair.session.setSnapshot(snapshotOf(last, isLearnt));
          pair.deliverAll();
          assertHolds(pair, mode, snapshotOf(last, isLearnt));
          assert.ok(pair.maxUnanswered <= types.length, "more than one unanswered response of a type");
          const { responses } = pair;
          pair.session.setSnapshot(snapshotOf(last, isLearnt));
          pair.deliverAll();
          assert.equal(pair.responses, responses, "an equal snapshot is not pushed");
        }),
        { numRuns: 2_000 },
      );
    });
  });
}
