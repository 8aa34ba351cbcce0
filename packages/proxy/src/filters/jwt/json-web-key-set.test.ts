import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import fc from "@weft/testkit/properties";
import { parseKeySet, verifySignature } from "./json-web-key-set.ts";
import { parseJwt } from "./json-web-token.ts";
import { encode, keySet, TestKey } from "./jwt-fixture.ts";
import { TokenCache } from "./token-cache.ts";

const rsa = new TestKey("RS256", "r");
const ec = new TestKey("ES256", "e");

const verdict = (token: string, set: string): string | undefined => {
  const parsed = parseJwt(token);
  return parsed.token ? verifySignature(parsed.token, parseKeySet(set))?.message : parsed.failure.message;
};

describe("keys are used only for what they were made for", () => {
  it("a public key is no shared secret", () => {
    const pem = JSON.stringify(rsa.jwk);
    const signed = `${encode({ alg: "HS256", kid: "r" })}.${encode({ sub: "eve" })}`;
    const forged = `${signed}.${createHmac("sha256", pem).update(signed).digest("base64url")}`;
    assert.equal(verdict(forged, keySet(rsa)), "Jwt header [alg] is not supported");
  });

  it("a key for one algorithm does not verify another", () => {
    const pss = new TestKey("PS256", "r");
    const token = pss.token({ sub: "ann" });
    assert.equal(verdict(token, keySet(pss)), undefined);
    const other = JSON.stringify({ keys: [{ ...pss.jwk, alg: "RS256" }] });
    assert.match(verdict(token, other) ?? "", /doesn't have key to match/);
  });

  for (const [what, jwk] of [
    ["an RSA key of 1024 bits", new TestKey("RS256", "s", 1024).jwk],
    ["a key for encryption", { ...ec.jwk, use: "enc" }],
    ["a key for signing only", { ...ec.jwk, key_ops: ["sign"] }],
    ["a curve with another algorithm", { ...ec.jwk, alg: "ES384" }],
    ["a point that is not on its curve", { ...ec.jwk, x: ec.jwk.y }],
    ["a secret", { kty: "oct", k: "c2VjcmV0" }],
    ["nothing", null],
  ] as const) {
    it(`${what} is left out`, () => {
      assert.throws(() => parseKeySet(JSON.stringify({ keys: [jwk] })), /no key that can verify/);
      assert.equal(parseKeySet(JSON.stringify({ keys: [jwk, rsa.jwk] })).keys.length, 1);
    });
  }

  it("a token that asks for an unknown extension is not accepted", () => {
    assert.equal(verdict(ec.token({}, { crit: ["exp"] }), keySet(ec)), "Jwt header [alg] is not supported");
  });

  it("more keys than a request should have to try are refused", () => {
    const many = JSON.stringify({ keys: Array.from({ length: 101 }, () => ec.jwk) });
    assert.throws(() => parseKeySet(many), /more than 100 keys/);
  });
});

describe("a token that was changed", () => {
  const token = ec.token({ sub: "ann", exp: 9_999_999_999 });

  it("never verifies, whichever character it was", () => {
    const keys = parseKeySet(keySet(ec));
    fc.assert(
      fc.property(
        fc.nat(token.length - 1),
        fc.constantFrom("A", "-", "_", ".", "z", "0"),
        (at, character) => {
          const changed = token.slice(0, at) + character + token.slice(at + 1);
          if (changed === token) return;
          const parsed = parseJwt(changed);
          assert.ok(!parsed.token || verifySignature(parsed.token, keys));
        },
      ),
    );
  });

  it("is read or refused, never more", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
        parseJwt(`${a}.${b}.${c}`);
        parseJwt(`${encode(a)}.${encode(b)}.${encode(c)}`);
        const inner = parseJwt(`${encode({ alg: "ES256" })}.${encode({ aud: b, exp: a })}.${encode(c)}`);
        assert.ok(inner.token !== undefined || inner.failure !== undefined);
      }),
    );
  });
});

describe("verified tokens are remembered", () => {
  const { token } = parseJwt(ec.token({ sub: "ann" }));

  it("as many as allowed, the ones not asked for longest forgotten first", () => {
    const cache = new TokenCache(2, 10);
    cache.add("a", token!);
    cache.add("b", token!);
    cache.get("a");
    cache.add("c", token!);
    assert.deepEqual(
      ["a", "b", "c"].map((text) => cache.get(text) !== undefined),
      [true, false, true],
    );
  });

  it("but not long ones, and none after the keys changed", () => {
    const cache = new TokenCache(2, 10);
    cache.add("x".repeat(11), token!);
    assert.equal(cache.get("x".repeat(11)), undefined);
    cache.add("a", token!);
    cache.clear();
    assert.equal(cache.get("a"), undefined);
  });
});
