import assert from "node:assert/strict";
import { test } from "node:test";
import type { PublicJwk } from "@weft/identity/spiffe-bundle";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import type { PublishedSequence } from "../store/bundle-store.ts";
import { PublishedBundle } from "./published-bundle.ts";

test("the sequence number of the published bundle grows with each change, and only then", () => {
  const clock = new FakeClock(1_000_000_000_000);
  const authority = new TestCa();
  let stored: PublishedSequence | undefined;
  let keys: readonly PublicJwk[] = [];
  const bundle = new PublishedBundle({
    trust: { view: { bundle: authority.bundle } as never },
    jwtKeys: {
      get keySet() {
        return JSON.stringify({ keys });
      },
    },
    store: {
      published: () => stored,
      setPublished: (next) => {
        stored = next;
      },
    },
    clock,
    refreshHintS: 60,
  });
  assert.equal(bundle.current.sequence, 1_000_000_000n);
  assert.equal(bundle.document, bundle.document);
  keys = [{ kty: "EC", kid: "a" }];
  assert.equal(bundle.current.sequence, 1_000_000_001n, "two changes within a second");
  keys = [];
  assert.equal(bundle.current.sequence, 1_000_000_002n, "what was before is a change too");
  stored = { sequence: 5n, contentHash: "of an old backup" };
  assert.ok(bundle.current.sequence! >= 1_000_000_000n, "a restored backup counts on from now");
});
