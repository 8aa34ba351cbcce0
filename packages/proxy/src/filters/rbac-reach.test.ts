import assert from "node:assert/strict";
import { it } from "node:test";
import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { Exchange } from "../layer/exchange.ts";
import { HeaderList } from "../layer/header-list.ts";
import { compileRbac } from "./rbac-engine.ts";
import type { RbacPermission, RbacPolicy, RbacPrincipal } from "./rbac-plan.ts";

/** A repeatable stream of numbers in [0, 1). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

const range = (last: number) =>
  ({ address: `10.0.0.${last}`, prefixLength: 32 }) as Extract<RbacPrincipal, { kind: "remote-ip" }>["range"];

function condition(
  random: () => number,
  leaves: readonly object[],
  depth: number,
): RbacPermission & RbacPrincipal {
  const next = () => condition(random, leaves, depth - 1);
  const pick = depth > 0 ? Math.floor(random() * 6) : 3;
  if (pick === 0) return { kind: "not", rule: next() } as never;
  if (pick === 1) return { kind: "and", rules: [next(), next()] } as never;
  if (pick === 2) return { kind: "or", rules: [next(), next()] } as never;
  return leaves[Math.floor(random() * leaves.length)] as never;
}

const shared = [
  { kind: "any" },
  { kind: "header", matches: ({ method }: { method: string }) => method === "GET" },
  { kind: "url-path", matches: (path: string) => path === "/a", literal: { kind: "exact", text: "/a" } },
  {
    kind: "url-path",
    matches: (path: string) => path.startsWith("/c"),
    literal: { kind: "prefix", text: "/c" },
  },
  {
    kind: "url-path",
    matches: (path: string) => path.startsWith("/"),
    literal: { kind: "prefix", text: "/" },
  },
  { kind: "url-path", matches: (path: string) => path.endsWith("c") },
  { kind: "metadata", filter: "f", keys: ["k"], matches: (value: unknown) => value === undefined },
];
const permissions = [
  ...shared,
  { kind: "destination-port", port: 80 },
  { kind: "destination-port-range", start: 80, end: 90 },
  { kind: "destination-ip", range: range(1) },
  { kind: "requested-server-name", matches: (name: string) => name === "a" },
];
const principals = [
  ...shared,
  { kind: "authenticated", matches: undefined },
  { kind: "authenticated", matches: (name: string) => name.endsWith("/web") },
  { kind: "direct-remote-ip", range: range(1) },
  { kind: "remote-ip", range: range(2) },
];

function connection(random: () => number): DownstreamConnection {
  const host = () => `10.0.0.${1 + Math.floor(random() * 2)}`;
  const uri = ["spiffe://a/web", "spiffe://a/api"][Math.floor(random() * 3)];
  return {
    remote: { kind: "ip", host: host(), port: 1 },
    local: { kind: "ip", host: host(), port: 80 + Math.floor(random() * 2) },
    requestedServerName: random() < 0.5 ? "a" : "b",
    peer: uri && { uris: [uri], dnsNames: [], subject: "", fingerprint: "" },
  } as unknown as DownstreamConnection;
}

function exchange(random: () => number): Exchange {
  const method = random() < 0.5 ? "GET" : "POST";
  const path = ["/a", "/a?b", "/c", "/c/d#e", "*"][Math.floor(random() * 5)];
  const clientAddress = { kind: "ip", host: `10.0.0.${1 + Math.floor(random() * 2)}`, port: 1 };
  return { request: { method, path, headers: new HeaderList() }, clientAddress } as unknown as Exchange;
}

it("many policies decide as if each were asked in turn", () => {
  const random = seeded(7);
  for (let round = 0; round < 200; round++) {
    const policies = Array.from(
      { length: 20 },
      (_, i): RbacPolicy => ({
        name: `p${String(i).padStart(2, "0")}`,
        permissions: [condition(random, permissions, 3)],
        principals: [condition(random, principals, 3)],
        origin: undefined,
      }),
    );
    const rules = { action: "allow", policies } as const;
    const engine = compileRbac({
      rules,
      shadowRules: undefined,
      rulesStatPrefix: "",
      shadowRulesStatPrefix: "",
    });
    for (let i = 0; i < 5; i++) {
      const one = connection(random);
      for (let j = 0; j < 5; j++) {
        const asked = exchange(random);
        const wanted = engine.judge(one, asked).find(({ permits, applies }) => permits && applies);
        assert.equal(engine.enforced!(one, asked).policy, wanted?.policy);
      }
    }
  }
});
