import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { KeySource } from "../model/key-source.ts";
import { KeySetCache } from "./key-set-cache.ts";

const jwks = () =>
  JSON.stringify({
    keys: [generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" })],
  });
const source = (url: string, more: Partial<KeySource> = {}): KeySource => ({
  url,
  isDiscovered: false,
  timeoutMs: 5000,
  ...more,
});
const hour = 3_600_000;

function open(documents: Record<string, string | Error>) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const problems: (string | undefined)[] = [];
  let changes = 0;
  const cache = new KeySetCache({
    clock,
    async fetch(url) {
      asked.push(url);
      const document = documents[url] ?? new Error("answered 404");
      if (document instanceof Error) throw document;
      return document;
    },
    onChange: () => {
      changes += 1;
    },
    onFetched: (_, problem) => problems.push(problem),
    random: () => 0,
  });
  return { cache, clock, asked, problems, documents, changes: () => changes, settle: () => clock.advance(0) };
}

describe("the keys of issuers", () => {
  it("are fetched at once, and again every twenty minutes, and are told of when they change", async () => {
    const { cache, clock, asked, documents, changes, settle } = open({ a: jwks() });
    cache.follow([source("a")]);
    await settle();
    const before = cache.current;
    assert.equal(before.get("a")?.state, "fetched");
    await clock.advance(20 * 60_000);
    assert.equal(asked.length, 2);
    assert.equal(cache.current, before, "the same keys are the same object");
    documents.a = jwks();
    await clock.advance(20 * 60_000);
    assert.notEqual(cache.current, before);
    assert.equal(changes(), 2);
    cache.close();
    assert.equal(clock.pendingTimers, 0);
  });

  it("are none until there are any: what fails is tried again, slower and slower", async () => {
    const { cache, clock, asked, documents, problems, settle } = open({ a: new Error("refused") });
    cache.follow([source("a")]);
    await settle();
    assert.deepEqual(cache.current.get("a"), { state: "failed", problem: "refused" });
    await clock.advance(1000 + 2000 + 4000);
    assert.equal(asked.length, 4);
    documents.a = "<html>";
    await clock.advance(8000);
    assert.match(problems.at(-1)!, /the document is not JSON/);
    documents.a = jwks();
    await clock.advance(16_000);
    assert.equal(cache.current.get("a")?.state, "fetched");
  });

  it("hold for a day while they cannot be renewed, and then no more", async () => {
    const { cache, clock, documents, settle } = open({ a: jwks() });
    cache.follow([source("a")]);
    await settle();
    documents.a = new Error("gone");
    await clock.advance(23 * hour);
    assert.equal(cache.current.get("a")?.state, "fetched");
    await clock.advance(2 * hour);
    assert.deepEqual(cache.current.get("a"), { state: "failed", problem: "gone" });
  });

  it("are found by the issuer's discovery document", async () => {
    const { cache, asked, settle } = open({ d: '{"jwks_uri":"https://x/keys"}', "https://x/keys": jwks() });
    cache.follow([source("d", { isDiscovered: true })]);
    await settle();
    assert.deepEqual(asked, ["d", "https://x/keys"]);
    assert.equal(cache.current.get("d")?.state, "fetched");
  });

  it("are forgotten when nobody names them any more", async () => {
    const { cache, clock, settle } = open({ a: jwks(), b: jwks() });
    cache.follow([source("a"), source("b")]);
    await settle();
    cache.follow([source("b")]);
    assert.deepEqual([...cache.current.keys()], ["b"]);
    cache.follow([]);
    assert.equal(cache.current.size, 0);
    assert.equal(clock.pendingTimers, 0);
  });

  it("are waited for, but not for ever", async () => {
    const { cache, clock, settle } = open({ a: jwks() });
    let isSettled = false;
    cache.follow([source("a")]);
    void cache.settled(5000).then(() => {
      isSettled = true;
    });
    await settle();
    assert.equal(isSettled, true);
    const never = new KeySetCache({
      clock,
      fetch: () => new Promise(() => {}),
      onChange() {},
      onFetched() {},
    });
    never.follow([source("a")]);
    const waited = never.settled(5000);
    await clock.advance(5000);
    await waited;
  });
});
