import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryRequestSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { GrpcError } from "../grpc/grpc-status.ts";
import { decodeDeltaRequest } from "./delta-request.ts";

function encoded(init: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): Uint8Array {
  return toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, init));
}

describe("decodeDeltaRequest", () => {
  const full = encoded({
    node: { id: "node", userAgentName: "envoy" },
    typeUrl: "a.type",
    resourceNamesSubscribe: ["a", "ü"],
    resourceNamesUnsubscribe: ["b"],
    initialResourceVersions: { a: "1", ü: "2", none: "" },
    responseNonce: "7",
    errorDetail: { code: 3, message: "refused" },
    // Not read, and passed over.
    resourceLocatorsUnsubscribe: [{ name: "c" }],
  });

  it("reads every field as the generated code would", () => {
    const request = decodeDeltaRequest(full);
    assert.equal(request.node?.id, "node");
    assert.equal(request.typeUrl, "a.type");
    assert.deepEqual(request.resourceNamesSubscribe, ["a", "ü"]);
    assert.deepEqual(request.resourceNamesUnsubscribe, ["b"]);
    assert.deepEqual(Object.fromEntries(request.initialResourceVersions), { a: "1", ü: "2", none: "" });
    assert.equal(request.responseNonce, "7");
    assert.equal(request.errorDetail?.message, "refused");
  });

  it("refuses a message that was cut off within a field, and nothing else ends it", () => {
    let refused = 0;
    for (let length = 0; length < full.length; length += 1) {
      try {
        decodeDeltaRequest(full.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof GrpcError);
        refused += 1;
      }
    }
    assert.ok(refused > full.length / 2, `${refused} of ${full.length}`);
  });

  it("refuses an entry of versions that reaches beyond itself", () => {
    // Field 5 of 3 bytes, in which a name of 5 bytes begins.
    const bytes = Uint8Array.of(0x2a, 3, 0x0a, 5, 97, 97, 97, 97, 97);
    assert.throws(() => decodeDeltaRequest(bytes), GrpcError);
  });
});
