import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Counter } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { HeaderList } from "../../layer/header-list.ts";
import type { CalloutResult } from "../callout.ts";
import type { KeySet } from "./json-web-key-set.ts";
import { keySet, TestKey } from "./jwt-fixture.ts";
import { RemoteKeys, type RemoteKeysPlan } from "./remote-keys.ts";

const published = keySet(new TestKey("ES256", "a"));
const unreachable: CalloutResult = { kind: "failure", reason: "timeout" };
const answering = (body: string, status = 200): CalloutResult => ({
  kind: "response",
  head: { status, headers: new HeaderList() },
  body: Buffer.from(body),
  trailers: undefined,
});

function setUp(options: Partial<RemoteKeysPlan> = {}) {
  const clock = new FakeClock();
  const asked: ((result: CalloutResult) => void)[] = [];
  const fetched = new Counter();
  const failed = new Counter();
  const keys = new RemoteKeys(
    {
      cluster: "issuer",
      scheme: "https",
      authority: "issuer",
      path: "/jwks",
      timeoutMs: 1_000,
      cacheMs: 60_000,
      refreshesEarly: false,
      failedRefetchMs: 5_000,
      retries: 0,
      backoffBaseMs: 100,
      backoffMaxMs: 1_000,
      ...options,
    },
    {
      clock,
      random: () => 1,
      fetched,
      failed,
      callouts: {
        start(_request, onDone) {
          asked.push(onDone);
          return { cancel() {} };
        },
      },
    },
  );
  const got: (KeySet | undefined)[] = [];
  return { clock, asked, keys, got, fetched, failed, fetch: () => keys.fetch((set) => got.push(set)) };
}

describe("keys of an issuer", () => {
  it("are fetched once for all who wait, and believed for their time", async () => {
    const { clock, asked, keys, got, fetch, fetched } = setUp();
    assert.equal(keys.current, undefined);
    fetch();
    fetch();
    assert.equal(asked.length, 1);
    asked[0]!(answering(published));
    assert.equal(got.length, 2);
    assert.equal(got[0]?.keys[0]?.id, "a");
    assert.equal(fetched.value, 1);
    await clock.advance(59_999);
    assert.ok(keys.current);
    await clock.advance(1);
    assert.equal(keys.current, undefined, "past their time they count no longer");
  });

  const failures: readonly (readonly [string, CalloutResult])[] = [
    ["an issuer that cannot be reached", unreachable],
    ["another status", answering(published, 203)],
    ["what is not JSON", answering("<html>")],
    ["no keys", answering('{"keys":[]}')],
    ["only secrets", answering('{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}')],
  ];
  for (const [what, result] of failures) {
    it(`are none from ${what}, and the next request asks again`, () => {
      const { asked, keys, got, fetch, failed } = setUp();
      fetch();
      asked[0]!(result);
      assert.deepEqual(got, [undefined]);
      assert.equal(keys.current, undefined);
      assert.equal(failed.value, 1);
      fetch();
      assert.equal(asked.length, 2);
    });
  }

  it("are asked for again after a while, no more often than allowed", async () => {
    const { clock, asked, got, fetch } = setUp({ retries: 2 });
    fetch();
    asked[0]!(unreachable);
    assert.equal(asked.length, 1);
    await clock.advance(100);
    asked[1]!(unreachable);
    await clock.advance(200);
    asked[2]!(unreachable);
    await clock.advance(10_000);
    assert.equal(asked.length, 3);
    assert.deepEqual(got, [undefined]);
  });

  it("are renewed before they expire where configured, and the old ones serve meanwhile", async () => {
    const { clock, asked, keys, fetch } = setUp({ refreshesEarly: true });
    fetch();
    asked[0]!(answering(published));
    await clock.advance(48_000);
    const before = keys.current;
    assert.equal(asked.length, 2);
    asked[1]!(unreachable);
    assert.equal(keys.current, before);
    assert.equal(asked.length, 2, "not at once again");
    await clock.advance(5_000);
    assert.equal(keys.current, before);
    asked[2]!(answering(published));
    await clock.advance(50_000);
    assert.ok(keys.current, "believed for the whole time anew");
    assert.notEqual(keys.current, before);
  });
});
