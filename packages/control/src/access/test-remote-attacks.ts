import { oids } from "@weft/identity/oids";
import { TestCa } from "@weft/testkit/test-ca";
import { generateKeyPair } from "jose";
import { enrol } from "../test-enrol.ts";
import type { remotePlane } from "./test-remote-plane.ts";

/** What is shown to the API from elsewhere, good and bad, and how it is answered. */

type Plane = Awaited<ReturnType<typeof remotePlane>>;

export const tokenCases: readonly (readonly [
  what: string,
  make: (plane: Plane) => Promise<string> | string,
  status: number,
  says: RegExp,
])[] = [
  ["a good token", ({ issuer }) => issuer.sign(), 200, /^/],
  [
    "a token of no group with a role",
    ({ issuer }) => issuer.sign({ groups: ["others"] }),
    403,
    /has no role/,
  ],
  [
    "one whose groups are an object",
    ({ issuer }) => issuer.sign({ groups: { viewers: true } }),
    403,
    /has no role/,
  ],
  ["an expired token", ({ issuer }) => issuer.sign({ exp: issuer.nowSeconds - 60 }), 401, /expired/],
  ["one that never expires", ({ issuer }) => issuer.sign({ exp: undefined }), 401, /claim exp/],
  [
    "one that is not valid yet",
    ({ issuer }) => issuer.sign({ nbf: issuer.nowSeconds + 600 }),
    401,
    /claim nbf/,
  ],
  ["one for somebody else", ({ issuer }) => issuer.sign({ aud: "other" }), 401, /claim aud/],
  [
    "one of another issuer",
    ({ issuer }) => issuer.sign({ iss: "https://evil.example" }),
    401,
    /trusts its issuer/,
  ],
  ["one without a name", ({ issuer }) => issuer.sign({ email: undefined }), 401, /is no name/],
  [
    "one whose name would break a log line",
    ({ issuer }) => issuer.sign({ email: "a\nb" }),
    401,
    /is no name/,
  ],
  [
    "one of a key that is not the issuer's",
    async ({ issuer }) => issuer.sign({}, (await generateKeyPair("ES256")).privateKey),
    401,
    /signature/,
  ],
  [
    "one of an unknown key",
    async ({ issuer }) => issuer.sign({}, (await generateKeyPair("ES256")).privateKey, "k2"),
    401,
    /no key of its issuer/,
  ],
  ["alg=none", ({ issuer }) => unsigned(issuer, { alg: "none" }), 401, /not accepted/],
  [
    "alg=none with a key id",
    ({ issuer }) => unsigned(issuer, { alg: "none", kid: "k1" }),
    401,
    /not accepted/,
  ],
  [
    "an HMAC with the public key as its secret",
    ({ issuer }) => `${unsigned(issuer, { alg: "HS256", kid: "k1" })}AAAA`,
    401,
    /algorithm is not accepted/,
  ],
  ["what is no token", () => "letmein", 401, /no JSON Web Token/],
  ["a token with a changed payload", async ({ issuer }) => changed(await issuer.sign()), 401, /signature/],
];

export const certificateCases: readonly (readonly [
  what: string,
  make: (plane: Plane) => Promise<object> | object,
  status: number,
])[] = [
  ["an operator's certificate", ({ ca, shown }) => shown(ca.leaf("ops", "rita")), 200],
  ["one of that authority for nobody with a role", ({ ca, shown }) => shown(ca.leaf("dev", "rita")), 403],
  ["one of another authority of the same name", ({ shown }) => shown(otherCa().leaf("ops", "ada")), 401],
  ["an expired one", ({ ca, shown }) => shown(ca.leaf("ops", "ada", { notBeforeMs: 0, notAfterMs: 1 })), 401],
  ["one of an authority", ({ ca, shown }) => shown(ca.leaf("ops", "ada", { isCa: true })), 401],
  [
    "one for a server alone",
    ({ ca, shown }) => shown(ca.leaf("ops", "ada", { extendedKeyUsages: [oids.serverAuth] })),
    401,
  ],
  ["one of the mesh that was given a role", (plane) => workload(plane, "deployer"), 200],
  ["one of the mesh that was given none", (plane) => workload(plane, "web"), 403],
];

export const foreignRequests: readonly (readonly [
  what: string,
  headers: Record<string, string>,
  status: number,
])[] = [
  ["a name that was made to resolve here", { host: "evil.example" }, 421],
  ["a name of hosts", { host: "mesh.example:15443" }, 200],
  ["another site's page", { "sec-fetch-site": "cross-site" }, 403],
  ["a page of a sister site", { "sec-fetch-site": "same-site" }, 403],
  ["another origin", { origin: "https://evil.example" }, 403],
  ["an opaque origin", { origin: "null" }, 403],
];

function otherCa(): TestCa {
  return new TestCa({ trustDomain: "ops.example" });
}

async function workload(plane: Plane, serviceAccount: string): Promise<object> {
  const { key, chain } = await enrol(plane, serviceAccount);
  return { key, cert: chain };
}

function unsigned({ url, nowSeconds }: Plane["issuer"], header: object): string {
  const claims = { iss: url, aud: "weft", sub: "u", email: "eve", groups: ["admins"], exp: nowSeconds + 60 };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(claims)}.`;
}

function changed(token: string): string {
  const [head, payload, signature] = token.split(".");
  const claims = JSON.parse(Buffer.from(payload!, "base64url").toString());
  const next = Buffer.from(JSON.stringify({ ...claims, groups: ["admins"] })).toString("base64url");
  return `${head}.${next}.${signature}`;
}
