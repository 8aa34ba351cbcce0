import { createHmac, createPublicKey } from "node:crypto";
import { encode, TestKey } from "@weft/proxy/filters/jwt/jwt-fixture";
import { request } from "../policies/raw-client.ts";
import { issuerKey, onHttp, takenByEnvoy } from "./guarded-scene.ts";

const nowS = Math.floor(Date.now() / 1000);
const claims = { iss: "me", sub: "ann", aud: "api", exp: nowS + 3600 };
const foreign = new TestKey("RS256", "issuer");
const good = issuerKey.token(claims);
const [head, , signature] = good.split(".") as [string, string, string];

/** Signed by the bytes of the public key, as if they were a secret that both sides share. */
function confused(): string {
  const pem = createPublicKey(issuerKey.privateKey).export({ type: "spki", format: "pem" });
  const signed = `${encode({ alg: "HS256", typ: "JWT", kid: "issuer" })}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", pem).update(signed).digest("base64url")}`;
}

const tokens: Readonly<Record<string, string>> = {
  none: "",
  "by another key of the same name": foreign.token(claims),
  "with a key of its own": foreign.token(claims, { jwk: foreign.jwk }),
  "with the address of a key": foreign.token(claims, {
    jku: "http://127.0.0.1/keys",
    x5u: "http://127.0.0.1/",
  }),
  "with other claims under the signature": `${head}.${encode({ ...claims, sub: "ann", admin: true })}.${signature}`,
  "without a signature": `${head}.${encode(claims)}.`,
  "of algorithm none": `${encode({ alg: "none" })}.${encode(claims)}.`,
  "of algorithm None": `${encode({ alg: "None" })}.${encode(claims)}.${signature}`,
  "by the public key as a secret": confused(),
  expired: issuerKey.token({ ...claims, exp: nowS - 3600 }),
  "not valid yet": issuerKey.token({ ...claims, nbf: nowS + 3600 }),
  "for another audience": issuerKey.token({ ...claims, aud: "web" }),
  "of another issuer": issuerKey.token({ ...claims, iss: "you" }),
  "of another user": issuerKey.token({ ...claims, sub: "eve" }),
  "of a user with a wildcard for a name": issuerKey.token({ ...claims, sub: "*" }),
  "of an issuer with a slash": issuerKey.token({ ...claims, iss: "me/ann", sub: "" }),
  "twice, the good one second": `${foreign.token(claims)}, Bearer ${good}`,
  "cut short": good.slice(0, -10),
  "with a dot more": `${good}.`,
  "that is no token": "Bearer Bearer",
};

/** End users who are not who they say. */
export const tokenAttacks = takenByEnvoy(
  Object.entries(tokens).map(([what, token]) =>
    onHttp("token", what, request("GET /users/1", ...(token ? [`authorization: Bearer ${token}`] : []))),
  ),
  /^with a dot more$/,
  "it leaves the dot out; the token is good",
);
