import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { FakeClock } from "@weft/testkit/fake-clock";
import { DeltaDiscoveryRequestSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { GrpcError, grpcCode } from "../grpc/grpc-status.ts";
import { typeUrl } from "../type-url.ts";
import { AdsSession } from "./ads-session.ts";
import { delta } from "./delta.ts";
import { SendBudget } from "./send-budget.ts";

/** A session whose client reads when the test says so. */
function open() {
  const clock = new FakeClock();
  const failures: unknown[] = [];
  const call = {
    peer: { address: "", isEncrypted: false, spiffeId: undefined, certificateProblem: undefined },
    isWritable: true,
    accept() {},
    end() {},
    sendParts() {},
    fail: (error: unknown) => void failures.push(error),
  };
  const session = new AdsSession({
    id: 1,
    clock,
    call,
    protocol: delta,
    events: { onConnected() {}, onDisconnected() {} },
    customTypes: new Set(),
    onlyType: undefined,
    ackTimeoutMs: 10_000,
    budget: new SendBudget(1 << 20),
    admit() {},
    onOver() {},
  });
  const request = create(DeltaDiscoveryRequestSchema, { node: { id: "x" }, typeUrl: typeUrl.cluster });
  session.onMessage(toBinary(DeltaDiscoveryRequestSchema, request));
  const sweepFor = async (seconds: number) => {
    for (let i = 0; i < seconds; i += 1) {
      await clock.advance(1_000);
      session.sweep(clock.now());
    }
  };
  return { call, failures, sweepFor };
}

test("a client that reads nothing for half a minute is let go, and told why", async () => {
  const { call, failures, sweepFor } = open();
  call.isWritable = false;
  await sweepFor(30);
  assert.deepEqual(failures, []);
  await sweepFor(1);
  const error: unknown = failures[0];
  assert.ok(error instanceof GrpcError && error.code === grpcCode.resourceExhausted);
  assert.match(error.message, /does not read/);
});

test("one that reads at times, however slowly, is kept", async () => {
  const { call, failures, sweepFor } = open();
  for (let round = 0; round < 5; round += 1) {
    call.isWritable = false;
    await sweepFor(29);
    call.isWritable = true;
    await sweepFor(1);
  }
  assert.deepEqual(failures, []);
});
