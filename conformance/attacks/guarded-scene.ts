/** A workload that only `productpage` may call, before each data plane, and what an attacker has to start with. */
import { keySet, TestKey } from "@weft/proxy/filters/jwt/jwt-fixture";
import { TestCa } from "@weft/testkit/test-ca";
import type { GuardedSidecar } from "../policies/guarded-sidecar.ts";
import { type Approach, exchange } from "../policies/raw-client.ts";
import type { Attack, Outcome } from "./attack.ts";

export const authority = new TestCa();
/** May call, within limits: who attacks by requests has its certificate. */
export const caller = authority.leaf("default", "productpage");
/** A member of the mesh that may call nothing. */
export const stranger = authority.leaf("default", "ratings");
export const badLeaves = authority.badLeaves();
export const issuerKey = new TestKey("RS256", "issuer");

const productpage = 'source: { principals: ["cluster.local/ns/default/sa/productpage"] }';

export const guardedYaml = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: users }
spec: { jwtRules: [{ issuer: me, audiences: [api], jwks: '${keySet(issuerKey)}' }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: callers }
spec:
  rules:
    - from: [{ ${productpage} }]
      to: [{ operation: { methods: [GET, POST], hosts: [api], notPaths: [/admin, "/admin/*", "/users/*"] } }]
    - from: [{ source: { principals: ["cluster.local/ns/default/sa/productpage"], requestPrincipals: ["me/ann"] } }]
      to: [{ operation: { paths: ["/users/*"] } }]
    - from: [{ ${productpage} }]
      to: [{ operation: { paths: ["/admin/*"] } }]
      when: [{ key: "request.headers[x-role]", values: [admin] }]
    - from: [{ ${productpage} }]
      to: [{ operation: { ports: [TCP_PORT] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: never }
spec:
  action: DENY
  rules:
    - to: [{ operation: { paths: ["/secret*"], ports: [HTTP_PORT] } }]
    - to: [{ operation: { methods: [DELETE], ports: [HTTP_PORT] } }]
    - to: [{ operation: { ports: [HTTP_PORT] } }]
      when: [{ key: "request.headers[x-tag]", values: [bad] }]
`;

type DataPlaneAttack = Attack<GuardedSidecar>;

/** Attempts that real Envoy takes, and why that is no way in. */
export function takenByEnvoy(
  attacks: readonly DataPlaneAttack[],
  what: RegExp,
  reason: string,
): DataPlaneAttack[] {
  return attacks.map((attack) => (what.test(attack.what) ? { ...attack, takenByEnvoy: reason } : attack));
}

/** An attempt on the port for HTTP; what the application got of it is counted. */
export function onHttp(
  area: string,
  what: string,
  bytes: string,
  approach: Omit<Approach, "port"> = { tls: { svid: caller } },
): DataPlaneAttack {
  return { area, what, attempt: (sidecar) => attempt(sidecar, "http", bytes, approach) };
}

/** The same on the port for bytes. */
export function onTcp(area: string, what: string, approach: Omit<Approach, "port">): DataPlaneAttack {
  return {
    area,
    what,
    attempt: (sidecar) => attempt(sidecar, "tcp", "PING\r\n\r\n", { ...approach, endsAfterwards: true }),
  };
}

async function attempt(
  sidecar: GuardedSidecar,
  port: "http" | "tcp",
  bytes: string,
  approach: Omit<Approach, "port">,
): Promise<Outcome> {
  const application = sidecar[port];
  const before = application.bytes;
  const reply = await exchange({ port: sidecar[`${port}Port`], ...approach }, bytes);
  return { how: reply.status ? `${reply.status}` : "closed", bytes: application.bytes - before };
}
