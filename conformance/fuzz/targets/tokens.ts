import assert from "node:assert/strict";
import { parseKeySet, verifySignature } from "@weft/proxy/filters/jwt/json-web-key-set";
import { jwtAlgorithms, parseJwt } from "@weft/proxy/filters/jwt/json-web-token";
import { keySet, TestKey } from "@weft/proxy/filters/jwt/jwt-fixture";
import type { FuzzTarget } from "../target.ts";

const keys = [new TestKey("RS256", "rsa"), new TestKey("ES256", "ec")];
const keySetText = keySet(...keys);
const known = parseKeySet(keySetText);
const signed = keys.map((key) =>
  key.token({ iss: "me", sub: "ann", aud: ["api"], exp: 4_000_000_000, nbf: 1 }),
);
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const unsigned = ["none", "HS256", "ES256"].map((alg) => `${encode({ alg })}.${encode({ sub: "ann" })}.AAAA`);

/** What is verified was signed, to the last bit of what it says; nothing throws. */
export const jwts: FuzzTarget = {
  name: "jwts",
  seeds: [...signed, ...unsigned].map((text) => Buffer.from(text)),
  tokens: [
    ".",
    "..",
    "=",
    encode({ alg: "none" }),
    encode({ alg: "HS256", kid: "rsa" }),
    encode({ crit: ["exp"] }),
    "\0",
    "A",
  ],
  check(input) {
    const { token } = parseJwt(input.toString("utf8"));
    if (!token) return;
    assert.ok(jwtAlgorithms.includes(token.algorithm) && !("crit" in token.header));
    if (verifySignature(token, known)) return;
    const original = signed.find((text) => text.startsWith(`${token.signed}.`));
    assert.ok(original, "only what was signed is verified");
    assert.equal(token.subject, "ann");
    assert.deepEqual(token.audiences, ["api"]);
  },
};

/** A key set that is read has public keys of kinds that are safe; what is none is told in one way. */
export const keySets: FuzzTarget = {
  name: "key-sets",
  seeds: [keySetText, '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AAAA"}]}'].map((text) => Buffer.from(text)),
  tokens: [
    '"keys":',
    '"kty":"oct"',
    '"crv":"P-256"',
    '"alg":"none"',
    '"d":',
    "[",
    "{",
    "null",
    '"n":"AQAB"',
    '"__proto__":',
  ],
  check(input) {
    try {
      for (const { key, algorithms } of parseKeySet(input.toString("utf8")).keys) {
        assert.equal(key.type, "public");
        assert.ok(algorithms.size > 0);
        assert.ok((key.asymmetricKeyDetails?.modulusLength ?? 2048) >= 2048);
      }
    } catch (error) {
      assert.ok(error instanceof SyntaxError, `${error}`);
    }
  },
};
