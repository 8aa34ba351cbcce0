import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "@weft/testkit/properties";
import {
  decodePeerMetadata,
  encodePeerMetadata,
  localPeerMetadata,
  parseEndpointWorkload,
} from "./peer-metadata.ts";
import { decodeStruct, encodeStruct } from "./struct-codec.ts";

const reviews = {
  workload: "reviews-v1",
  namespace: "default",
  app: "reviews",
  version: "v1",
  canonicalName: "reviews",
  canonicalRevision: "v1",
  cluster: "Kubernetes",
};

describe("peer metadata", () => {
  it("survives the way to a peer", () => {
    assert.deepEqual(decodePeerMetadata(encodePeerMetadata(reviews)), reviews);
  });

  it("is read from the node this proxy runs as", () => {
    const node = {
      WORKLOAD_NAME: "reviews-v1",
      NAMESPACE: "default",
      CLUSTER_ID: "Kubernetes",
      LABELS: { app: "reviews", version: "v1" },
    };
    assert.deepEqual(localPeerMetadata(node), reviews);
  });

  it("falls back to the workload's name and to `latest` where there are no labels", () => {
    const { canonicalName, canonicalRevision } = localPeerMetadata({ WORKLOAD_NAME: "cron" });
    assert.deepEqual([canonicalName, canonicalRevision], ["cron", "latest"]);
  });

  it("is read from endpoint metadata", () => {
    assert.deepEqual(parseEndpointWorkload("reviews-v1;default;reviews;v1;Kubernetes"), reviews);
  });

  it("is undefined for anything else, however long or wrong", () => {
    for (const value of ["", "?", "AAAA", "x".repeat(100_000)])
      assert.equal(decodePeerMetadata(value), undefined);
  });
});

describe("the wire form of Struct", () => {
  it("is protobuf's: one known message", () => {
    const bytes = encodeStruct({ NAME: "a" });
    assert.equal(bytes.toString("hex"), "0a0b0a044e414d4512031a0161");
  });

  it("steps over numbers, nulls and lists", () => {
    // fields { n: number 1.5 }, { l: list [] }, { s: "x" }
    const bytes = Buffer.from(
      "0a0e0a016e120911000000000000f83f0a070a016c120232000a080a017312031a0178",
      "hex",
    );
    assert.deepEqual(decodeStruct(bytes), new Map([["s", "x"]]));
  });

  it("never throws, whatever arrives", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeStruct(Buffer.from(bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  it("refuses what nests too deep", () => {
    let bytes = encodeStruct({ a: "b" });
    for (let i = 0; i < 20; i++) {
      const value = Buffer.concat([Buffer.from([0x2a, bytes.length]), bytes]);
      const entry = Buffer.concat([Buffer.from([0x0a, 1, 0x61, 0x12, value.length]), value]);
      bytes = Buffer.concat([Buffer.from([0x0a, entry.length]), entry]);
      if (bytes.length > 100) break;
    }
    assert.equal(decodeStruct(bytes), undefined);
  });
});
