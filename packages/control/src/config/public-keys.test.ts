import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { parsePublicKeys } from "./public-keys.ts";

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicJwk = ec.publicKey.export({ format: "jwk" });
const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
const read = (...keys: unknown[]) => parsePublicKeys(JSON.stringify({ keys }));

describe("the keys of an issuer", () => {
  it("keep their public part, whatever they were given with", () => {
    const given = { ...ec.privateKey.export({ format: "jwk" }), kid: "a", alg: "ES256", x5t: "x", other: 1 };
    const { text, dropped } = read(given);
    assert.deepEqual(JSON.parse(text), {
      keys: [{ kty: "EC", crv: "P-256", x: publicJwk.x, y: publicJwk.y, use: "sig", alg: "ES256", kid: "a" }],
    });
    assert.deepEqual(dropped, []);
    assert.equal(read(given).text, read({ ...given, other: 2 }).text);
  });

  const unusable: readonly [what: string, key: unknown, why: RegExp][] = [
    ["a secret", { kty: "oct", k: "c2VjcmV0", alg: "HS256" }, /is a secret/],
    ["an encryption key", { ...publicJwk, use: "enc" }, /not for signatures/],
    ["a key for other operations", { ...publicJwk, key_ops: ["encrypt"] }, /not for signatures/],
    ["a short RSA key", weak, /fewer than 2048 bits/],
    ["a point that is not on its curve", { ...publicJwk, y: publicJwk.x }, /not a valid key/],
    ["a key for an algorithm of another kind", { ...publicJwk, alg: "RS256" }, /which it cannot be/],
    ["a curve that is none of JOSE's", { ...publicJwk, crv: "secp256k1" }, /unknown kind/],
    ["a key named like a method of objects", { kty: "RSA", crv: "constructor" }, /not a valid key/],
    ["text", "key", /not an object/],
  ];
  for (const [what, key, why] of unusable) {
    it(`leave out ${what}, and are none where nothing is left`, () => {
      const { text, dropped } = read(publicJwk, key);
      assert.equal((JSON.parse(text) as { keys: unknown[] }).keys.length, 1);
      assert.match(dropped.join(), why);
      assert.throws(() => read(key), why);
    });
  }

  it("are refused when they are no key set, or too many keys", () => {
    assert.throws(() => parsePublicKeys("<html>"), /is not JSON/);
    assert.throws(() => parsePublicKeys("null"), /no list called "keys"/);
    assert.throws(() => parsePublicKeys('{"keys":{}}'), /no list called "keys"/);
    assert.throws(() => read(), /no key that can verify/);
    assert.throws(() => read(...new Array(101).fill(publicJwk)), /at most 100/);
  });
});
