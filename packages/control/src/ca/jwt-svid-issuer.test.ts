import assert from "node:assert/strict";
import { createPublicKey, type JsonWebKey, verify } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { openStore } from "../store/open-store.ts";
import { CertificateRefusal } from "./certificate-request.ts";
import { JwtKeys } from "./jwt-keys.ts";
import { type JwtSvidAsk, JwtSvidIssuer } from "./jwt-svid-issuer.ts";

const trustDomain = parseTrustDomain("cluster.local");
const reviews = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const log = { info() {}, warn() {}, error() {} };
const hourMs = 3_600_000;

async function setUp(t: TestContext, rate?: { perSecond: number; burst: number }) {
  const directory = mkdtempSync(join(tmpdir(), "weft-jwt-"));
  const clock = new FakeClock();
  const store = openStore({ directory, trustDomain, clock });
  let keys = await JwtKeys.open(store.jwtKeys, clock, log);
  t.after(() => {
    keys.close();
    store.close();
    rmSync(directory, { recursive: true });
  });
  return {
    clock,
    store,
    get keys() {
      return keys;
    },
    async restart() {
      keys.close();
      keys = await JwtKeys.open(store.jwtKeys, clock, log);
    },
    ask: (changes: Partial<JwtSvidAsk> = {}) =>
      new JwtSvidIssuer({ keys, audit: store.audit, trustDomain, clock, rate }).issue({
        peer: reviews,
        audience: ["ledger"],
        validitySeconds: 0,
        address: "10.0.0.1",
        ...changes,
      }),
  };
}

interface Read {
  readonly header: Record<string, unknown>;
  readonly payload: Record<string, unknown>;
  readonly isGood: boolean;
}

/** As its audience does, by the published keys. */
function read(token: string, keySet: string): Read {
  const [header, payload, signature] = token.split(".") as [string, string, string];
  const decode = (text: string) => JSON.parse(Buffer.from(text, "base64url").toString());
  const { keys } = JSON.parse(keySet) as { keys: (JsonWebKey & { kid: string })[] };
  const jwk = keys.find(({ kid }) => kid === decode(header).kid);
  const isGood =
    jwk !== undefined &&
    verify(
      "sha256",
      Buffer.from(`${header}.${payload}`),
      { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" },
      Buffer.from(signature, "base64url"),
    );
  return { header: decode(header), payload: decode(payload), isGood };
}

test("a token names its subject, audience and end, and is in the log before it is given away", async (t) => {
  const mesh = await setUp(t);
  const token = await mesh.ask({ audience: ["ledger", "bank"] });
  const { header, payload, isGood } = read(token, mesh.keys.keySet);
  assert.ok(isGood);
  assert.deepEqual([header.alg, header.typ], ["ES256", "JWT"]);
  const nowS = Math.floor(mesh.clock.now() / 1000);
  const { jti, ...claims } = payload;
  assert.deepEqual(claims, { sub: reviews, aud: ["ledger", "bank"], iat: nowS, exp: nowS + 300 });
  const [entry] = mesh.store.audit.recent(1);
  assert.deepEqual([entry?.event, entry?.subject, entry?.serial], ["JWT-SVID issued", reviews, jti]);
  assert.ok(!mesh.keys.keySet.includes('"d"'), "no private part is published");
});

test("what is no request for an own token is refused with the reason", async (t) => {
  const mesh = await setUp(t);
  const cases: [Partial<JwtSvidAsk>, string, RegExp][] = [
    [{ peer: undefined }, "unauthenticated", /current certificate/],
    [
      { peer: parseSpiffeId("spiffe://evil.example/ns/default/sa/reviews") },
      "permission-denied",
      /not a workload/,
    ],
    [
      { peer: parseSpiffeId("spiffe://cluster.local/ns/weft-system/sa/weft-control-plane") },
      "permission-denied",
      /not a workload/,
    ],
    [{ audience: [] }, "invalid-argument", /1 to 16 audiences/],
    [{ audience: [""] }, "invalid-argument", /1 to 1024 characters/],
    [{ audience: Array.from({ length: 17 }, (_, i) => `${i}`) }, "invalid-argument", /1 to 16/],
    [{ audience: ["x".repeat(1_025)] }, "invalid-argument", /1 to 1024/],
    [{ validitySeconds: 3_601 }, "invalid-argument", /at most 3600 s/],
  ];
  for (const [changes, code, message] of cases) {
    await assert.rejects(
      mesh.ask(changes),
      (error) => error instanceof CertificateRefusal && error.code === code && message.test(error.message),
      `${message}`,
    );
  }
  assert.deepEqual(mesh.store.audit.recent(10), []);
});

test("one workload cannot keep the authority busy with tokens", async (t) => {
  const mesh = await setUp(t);
  const { clock, store, keys } = mesh;
  const rate = { perSecond: 1, burst: 1 };
  const issuer = new JwtSvidIssuer({ keys, audit: store.audit, trustDomain, clock, rate });
  const ask = { peer: reviews, audience: ["a"], validitySeconds: 0, address: "10.0.0.1" };
  await issuer.issue(ask);
  await assert.rejects(issuer.issue(ask), /try again in 1 s/);
  await clock.advance(1_000);
  await issuer.issue(ask);
});

test("a key is known before it signs and after it has ended; a token is good until its end", async (t) => {
  const mesh = await setUp(t);
  const kids = () => (JSON.parse(mesh.keys.keySet) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  const changed: number[] = [];
  mesh.keys.onChange(() => changed.push(kids().length));
  const [first] = kids();
  const until = async (ms: number) => {
    while (mesh.clock.now() < ms) {
      await mesh.clock.advance(60_000);
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  const startMs = mesh.clock.now();
  await until(startMs + 23 * hourMs);
  while (changed.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(changed, [2], "an hour before");
  assert.equal(mesh.keys.current.id, first);
  const lastMinute = startMs + 24 * hourMs - 60_000;
  await until(lastMinute);
  const token = await mesh.ask({ validitySeconds: 3_600 });
  await until(startMs + 24 * hourMs);
  const second = mesh.keys.current.id;
  assert.notEqual(second, first);
  assert.ok(read(token, mesh.keys.keySet).isGood, "of the key before");
  await until(lastMinute + hourMs);
  assert.ok(read(token, mesh.keys.keySet).isGood, "until its end");
  await mesh.restart();
  assert.equal(mesh.keys.current.id, second, "kept over a restart");
  await until(startMs + 26 * hourMs + 1_000);
  assert.deepEqual(kids(), [second]);
});

test("a control plane that was off for days has a key that signs", async (t) => {
  const mesh = await setUp(t);
  const before = mesh.keys.current.id;
  mesh.keys.close();
  await mesh.clock.advance(80 * hourMs);
  await mesh.restart();
  assert.notEqual(mesh.keys.current.id, before);
  assert.ok(read(await mesh.ask(), mesh.keys.keySet).isGood);
  assert.deepEqual(
    mesh.store.jwtKeys.list().map(({ id }) => id),
    [mesh.keys.current.id],
    "the old one is forgotten",
  );
});
