import { test } from "node:test";
import { expectSame, type Sent, withEnvoy } from "../side-by-side-fixture.ts";
import { encode, keySet, TestKey } from "./jwt-fixture.ts";

const type = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3";
const nowS = Math.floor(Date.now() / 1000);
const es256 = new TestKey("ES256", "es256");
const keys = [
  es256,
  ...(["ES384", "ES512", "RS256", "PS256", "RS512", "EdDSA"] as const).map(
    (algorithm) => new TestKey(algorithm, algorithm.toLowerCase()),
  ),
];
const other = new TestKey("ES256", "es256");
const stranger = new TestKey("ES256", "stranger");
const jwks = (...list: readonly TestKey[]) =>
  `local_jwks: { inline_string: ${JSON.stringify(keySet(...list))} }`;

const filter = (body: string) => `
- name: jwt
  typed_config:
    "@type": ${type}.JwtAuthentication
${body.trim().replace(/^/gm, "    ")}
`;
const bearer = (token: string, more: Sent["headers"] = {}): Sent["headers"] => ({
  authorization: `Bearer ${token}`,
  ...more,
});
const claims = { iss: "me", sub: "ann", aud: "shop", exp: nowS + 3600, iat: nowS };
const good = es256.token(claims);
const [header = "", payload = "", signature = ""] = good.split(".");
const withHeader = (json: object) => es256.token(claims, json);

const tokens: Readonly<Record<string, string>> = {
  good,
  ...Object.fromEntries(keys.map((key) => [key.algorithm, key.token(claims)])),
  "no kid": withHeader({ kid: undefined }),
  "unknown kid": stranger.token(claims),
  "wrong key": other.token(claims),
  expired: es256.token({ ...claims, exp: nowS - 120 }),
  "expired within skew": es256.token({ ...claims, exp: nowS - 30 }),
  "not yet": es256.token({ ...claims, nbf: nowS + 120 }),
  "not yet within skew": es256.token({ ...claims, nbf: nowS + 30 }),
  "no expiration": es256.token({ ...claims, exp: undefined }),
  "another issuer": es256.token({ ...claims, iss: "you" }),
  "no issuer": es256.token({ ...claims, iss: undefined }),
  "audience list": es256.token({ ...claims, aud: ["x", "shop"] }),
  "audience with scheme": es256.token({ ...claims, aud: "https://shop/" }),
  "wrong audience": es256.token({ ...claims, aud: "x" }),
  "no audience": es256.token({ ...claims, aud: undefined }),
  "aud number": es256.token({ ...claims, aud: 3 }),
  "exp text": es256.token({ ...claims, exp: "soon" }),
  "exp negative": es256.token({ ...claims, exp: -1 }),
  "iss number": es256.token({ ...claims, iss: 3 }),
  "sub number": es256.token({ ...claims, sub: 3 }),
  none: `${encode({ alg: "none" })}.${payload}.`,
  "none signed": `${encode({ alg: "none" })}.${payload}.${signature}`,
  "alg missing": `${encode({ kid: "es256" })}.${payload}.${signature}`,
  "alg number": `${encode({ alg: 5 })}.${payload}.${signature}`,
  "kid number": `${encode({ alg: "ES256", kid: 5 })}.${payload}.${signature}`,
  "header no base64": `!!!.${payload}.${signature}`,
  "header no JSON": `${encode("nope")}.${payload}.${signature}`,
  "header list": `${encode([1])}.${payload}.${signature}`,
  "payload no JSON": `${header}.${encode("nope")}.${signature}`,
  "payload changed": `${header}.${encode({ ...claims, sub: "eve" })}.${signature}`,
  "signature cut": `${header}.${payload}.${signature.slice(0, -2)}`,
  "signature empty": `${header}.${payload}.`,
  "signature of zeros": `${header}.${payload}.${Buffer.alloc(64).toString("base64url")}`,
  "two parts": `${header}.${payload}`,
  "four parts": `${good}.x`,
  word: "word",
};

const stats = ["allowed", "denied", "cors_preflight_bypassed"].map((name) => `http.test.jwt_authn.${name}`);

test("tokens are judged as in Envoy", withEnvoy, () =>
  expectSame(
    {
      filters: filter(`
providers:
  p: { issuer: me, audiences: [shop], ${jwks(...keys)} }
rules:
- { match: { prefix: /open } }
- { match: { prefix: / }, requires: { provider_name: p } }
bypass_cors_preflight: true
`),
    },
    [
      { path: "/" },
      { path: "/open" },
      { path: "/a/b?c=d" },
      { path: "/", headers: { authorization: "Basic x" } },
      { path: "/", headers: { authorization: "bearer x" } },
      { path: "/", headers: { authorization: `Bearer  ${good}` } },
      { path: "/", headers: { authorization: `Bearer ${good} ` } },
      { path: `/?access_token=${good}` },
      { path: `/?a=b&access_token=${good}&c=d` },
      { path: "/?access_token=bad" },
      { path: `/?access_token=${good}`, headers: bearer(good) },
      { path: `/?access_token=${tokens.expired}`, headers: bearer(good) },
      { path: "/", method: "OPTIONS", headers: { origin: "x", "access-control-request-method": "PUT" } },
      { path: "/", method: "OPTIONS", headers: { origin: "x" } },
      { path: "/", headers: { "content-type": "application/grpc" } },
      ...Object.values(tokens).map((token): Sent => ({ path: "/", headers: bearer(token) })),
    ],
    stats,
  ),
);

test("requirements are combined as in Envoy", withEnvoy, () => {
  const q = new TestKey("ES256", "q");
  const ofQ = q.token({ ...claims, iss: "you", aud: "x" });
  const rules: Readonly<Record<string, string>> = {
    any: "requires_any: { requirements: [{ provider_name: p }, { provider_name: q }] }",
    all: "requires_all: { requirements: [{ provider_name: p }, { provider_name: q }] }",
    missing: "requires_any: { requirements: [{ provider_name: p }, { allow_missing: {} }] }",
    failed: "requires_any: { requirements: [{ provider_name: p }, { allow_missing_or_failed: {} }] }",
    nothing: "allow_missing: {}",
    lenient: "allow_missing_or_failed: {}",
    audiences: "provider_and_audiences: { provider_name: q, audiences: [x, other] }",
    otheraud: "provider_and_audiences: { provider_name: q, audiences: [z] }",
    bothany:
      "requires_any: { requirements: [{ provider_name: p }, { provider_name: q }, { allow_missing: {} }] }",
    nested:
      "requires_all: { requirements: [{ provider_name: p }, { requires_any: { requirements: [{ provider_name: q }, { allow_missing: {} }] } }] }",
  };
  return expectSame(
    {
      filters: filter(`
providers:
  p: { issuer: me, forward: true, payload_in_metadata: p, ${jwks(es256)} }
  q: { issuer: you, forward: true, payload_in_metadata: q, from_headers: [{ name: x-q }], ${jwks(q)} }
rules:
${Object.entries(rules)
  .map(([name, requirement]) => `- { match: { prefix: /${name} }, requires: { ${requirement} } }`)
  .join("\n")}
`),
      log: "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.http.jwt_authn:p:sub)% %DYNAMIC_METADATA(envoy.filters.http.jwt_authn:q:sub)%",
    },
    Object.keys(rules).flatMap((name): Sent[] => [
      { path: `/${name}` },
      { path: `/${name}`, headers: bearer(good) },
      { path: `/${name}`, headers: bearer("bad") },
      { path: `/${name}`, headers: bearer(tokens.expired!) },
      { path: `/${name}`, headers: { "x-q": ofQ } },
      { path: `/${name}`, headers: { "x-q": "bad" } },
      { path: `/${name}`, headers: bearer(good, { "x-q": ofQ }) },
      // Envoy forgets a failure that another token of an optional one follows; here it counts.
      ...(name === "nothing" ? [] : [{ path: `/${name}`, headers: bearer(good, { "x-q": "bad" }) }]),
      { path: `/${name}`, headers: bearer("bad", { "x-q": ofQ }) },
      { path: `/${name}`, headers: bearer(ofQ, { "x-q": good }) },
    ]),
  );
});

test("claims go on as in Envoy, and what the client made up does not", withEnvoy, () => {
  const rich = {
    ...claims,
    num: 42,
    frac: 1.5,
    minus: -3,
    truth: true,
    list: ["a", 1],
    nested: { key: "deep" },
    scope: "read write",
    big: 12345678901,
  };
  const headers = ["sub", "num", "frac", "minus", "truth", "list", "nested", "nested.key", "absent", "big"]
    .map((claim) => `{ header_name: x-claim-${claim.replace(".", "-")}, claim_name: ${claim} }`)
    .join(", ");
  const common = `issuer: me, ${jwks(es256)}`;
  return expectSame(
    {
      filters: filter(`
providers:
  plain: { ${common}, forward_payload_header: x-payload, claim_to_headers: [${headers}], payload_in_metadata: m, header_in_metadata: h, normalize_payload_in_metadata: { space_delimited_claims: [scope] } }
  padded: { ${common}, forward_payload_header: x-payload, pad_forward_payload_header: true, forward: true }
  places: { ${common}, from_headers: [{ name: x-t, value_prefix: "JWT=" }, { name: x-u }], from_params: [t], from_cookies: [c] }
  subject: { ${common}, subjects: { prefix: bob } }
  expiring: { ${common}, require_expiration: true }
  short: { ${common}, max_lifetime: 600s }
rules:
- { match: { prefix: /padded }, requires: { provider_name: padded } }
- { match: { prefix: /places }, requires: { provider_name: places } }
- { match: { prefix: /subject }, requires: { provider_name: subject } }
- { match: { prefix: /expiring }, requires: { provider_name: expiring } }
- { match: { prefix: /short }, requires: { provider_name: short } }
- { match: { prefix: / }, requires: { provider_name: plain } }
`),
      log: "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.http.jwt_authn:m:scope)% %DYNAMIC_METADATA(envoy.filters.http.jwt_authn:m:nested:key)% %DYNAMIC_METADATA(envoy.filters.http.jwt_authn:h:kid)%",
    },
    [
      { path: "/", headers: bearer(es256.token(rich)) },
      { path: "/", headers: bearer(es256.token(rich), { "x-payload": "fake", "x-claim-absent": "fake" }) },
      { path: "/", headers: { "x-payload": "fake" } },
      ...["a", "ab", "abc"].map(
        (sub): Sent => ({ path: "/padded", headers: bearer(es256.token({ ...claims, sub })) }),
      ),
      { path: "/places", headers: { "x-t": `JWT=${good}` } },
      { path: "/places", headers: { "x-t": `other ${good}` } },
      { path: "/places", headers: { "x-t": `x JWT=${good}, more` } },
      { path: "/places", headers: { "x-u": good } },
      { path: "/places", headers: bearer(good) },
      { path: `/places?t=${good}` },
      { path: `/places?access_token=${good}` },
      { path: "/places", headers: { cookie: `a=b; c=${good}` } },
      { path: "/places", headers: { cookie: `c="${good}"` } },
      { path: "/subject", headers: bearer(good) },
      { path: "/subject", headers: bearer(es256.token({ ...claims, sub: "bobby" })) },
      { path: "/expiring", headers: bearer(good) },
      { path: "/expiring", headers: bearer(tokens["no expiration"]!) },
      { path: "/short", headers: bearer(good) },
      { path: "/short", headers: bearer(tokens["no expiration"]!) },
      { path: "/short", headers: bearer(es256.token({ ...claims, exp: nowS + 300 })) },
      { path: "/short", headers: bearer(es256.token({ ...claims, iat: undefined, exp: nowS + 300 })) },
    ],
  );
});

test("routes ask for other tokens, and keys come from the issuer, as in Envoy", withEnvoy, () => {
  const perRoute = (body: string) =>
    `typed_per_filter_config: { jwt: { "@type": ${type}.PerRouteConfig, ${body} } }`;
  let fetches = 0;
  return expectSame(
    {
      filters: filter(`
providers:
  remote: { issuer: me, remote_jwks: { http_uri: { uri: "http://issuer/jwks?x=y", cluster: upstream, timeout: 2s }, cache_duration: 300s } }
  broken: { issuer: me, remote_jwks: { http_uri: { uri: "http://issuer/broken", cluster: upstream, timeout: 2s } } }
requirement_map:
  remote: { provider_name: remote }
  broken: { provider_name: broken }
rules:
- { match: { prefix: /stripped }, requirement_name: broken }
- { match: { prefix: / }, requires: { provider_name: remote } }
stat_prefix: own
`),
      routes: [
        `- { match: { prefix: /off }, route: { cluster: upstream }, ${perRoute("disabled: true")} }`,
        `- { match: { prefix: /broken }, route: { cluster: upstream }, ${perRoute("requirement_name: broken")} }`,
        `- { match: { prefix: /unknown }, route: { cluster: upstream }, ${perRoute("requirement_name: unknown")} }`,
        "- { match: { prefix: / }, route: { cluster: upstream } }",
      ].join("\n"),
      upstream(request, _body, answer) {
        if (request.url === "/jwks?x=y") {
          fetches += 1;
          answer(200, {}, keySet(es256));
        } else if (request.url === "/broken") answer(500, {}, "");
        else answer(200, {}, JSON.stringify({ url: request.url, host: request.headers.host, fetches }));
      },
    },
    [
      { path: "/off" },
      { path: "/broken", headers: bearer(good) },
      { path: "/unknown", headers: bearer(good) },
      { path: "/stripped", headers: bearer(good) },
      { path: "/broken", headers: bearer("bad") },
    ],
    ["allowed", "denied", "jwks_fetch_success", "jwks_fetch_failed"].map(
      (name) => `http.test.jwt_authn.own.${name}`,
    ),
  );
});
