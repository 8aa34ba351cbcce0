import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { Exchange } from "../layer/exchange.ts";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { connection, exchange, peerIdentity, request } from "../telemetry/exchange-fixture.ts";
import { compileRbacRoute, createNetworkRbacFilter, createRbacFilter } from "./rbac.ts";
import { rbacHttpFilterName } from "./rbac-engine.ts";
import type { RbacPermission, RbacPlan, RbacPolicy, RbacPrincipal, RbacRules } from "./rbac-plan.ts";
import { httpRbacStats, networkRbacStats } from "./rbac-stats.ts";

const anyPermission: RbacPermission = { kind: "any" };
const anyPrincipal: RbacPrincipal = { kind: "any" };

function policy(name: string, permission = anyPermission, principal = anyPrincipal): RbacPolicy {
  return { name, permissions: [permission], principals: [principal], origin: undefined };
}

function plan(rules: RbacRules | undefined, options: Partial<RbacPlan> = {}): RbacPlan {
  return { rules, shadowRules: undefined, rulesStatPrefix: "", shadowRulesStatPrefix: "", ...options };
}

function filterOf(configured: RbacPlan) {
  const stats = httpRbacStats(
    new EnvoyStats(new MetricRegistry()),
    "in",
    "",
    configured.shadowRulesStatPrefix,
  );
  return { stats, filter: createRbacFilter(configured, stats) };
}

/** Whether one policy with this permission and principal lets the request through. */
function allows(
  {
    permission = anyPermission,
    principal = anyPrincipal,
  }: { permission?: RbacPermission; principal?: RbacPrincipal },
  options: Partial<Exchange> = {},
): boolean {
  const { filter } = filterOf(plan({ action: "allow", policies: [policy("p", permission, principal)] }));
  return filter.onRequest!(exchange(options)) === "continue";
}

const spiffe = (account: string) => `spiffe://cluster.local/ns/default/sa/${account}`;
const from = (...uris: string[]): DownstreamConnection =>
  connection({ isTls: true, peer: peerIdentity({ uris }) });
const isExactly = (expected: string) => (value: string) => value === expected;

describe("the RBAC filter", () => {
  const one = policy("ns[default]-policy[x]-rule[0]", {
    kind: "header",
    matches: (head) => head.method === "GET",
  });
  const actions = [
    { action: "allow", method: "GET", isAllowed: true, policy: one.name },
    { action: "allow", method: "PUT", isAllowed: false, policy: "none" },
    { action: "deny", method: "GET", isAllowed: false, policy: one.name },
    { action: "deny", method: "PUT", isAllowed: true, policy: "none" },
    { action: "log", method: "PUT", isAllowed: true, policy: "none" },
  ] as const;
  for (const { action, method, isAllowed, policy: decisive } of actions) {
    it(`${action.toUpperCase()} GET ${isAllowed ? "lets" : "stops"} ${method}`, () => {
      const { filter, stats } = filterOf(plan({ action, policies: [one] }));
      const call = exchange({ request: request({}, { method }) });
      assert.equal(filter.onRequest!(call), isAllowed ? "continue" : "stop");
      assert.deepEqual([stats.allowed.value, stats.denied.value], isAllowed ? [1, 0] : [0, 1]);
      assert.deepEqual(
        call.recorded.replies,
        isAllowed
          ? []
          : [
              {
                status: 403,
                body: "RBAC: access denied",
                details: `rbac_access_denied_matched_policy[${decisive}]`,
                flags: 0,
                grpcStatus: undefined,
              },
            ],
      );
    });
  }

  it("denies everything when it allows no policy, and nothing without rules", () => {
    const call = exchange();
    assert.equal(filterOf(plan({ action: "allow", policies: [] })).filter.onRequest!(call), "stop");
    assert.equal(filterOf(plan(undefined)).filter.onRequest!(exchange()), "continue");
  });

  it("writes no spaces into the details", () => {
    const call = exchange();
    filterOf(plan({ action: "deny", policies: [policy("a policy")] })).filter.onRequest!(call);
    assert.equal(call.recorded.replies[0]?.details, "rbac_access_denied_matched_policy[a_policy]");
  });

  it("LOG marks what matched for the access log", () => {
    const call = exchange();
    filterOf(plan({ action: "log", policies: [one] })).filter.onRequest!(call);
    assert.equal(call.dynamicMetadata?.get("envoy.common")?.get("access_log_hint"), "true");
  });

  it("counts and notes shadow rules without enforcing them", () => {
    const shadowRules: RbacRules = { action: "deny", policies: [policy("dry")] };
    const { filter, stats } = filterOf(
      plan(undefined, { shadowRules, shadowRulesStatPrefix: "istio_dry_run_deny_" }),
    );
    const call = exchange();
    assert.equal(filter.onRequest!(call), "continue");
    assert.deepEqual([stats.shadowAllowed.value, stats.shadowDenied.value], [0, 1]);
    assert.deepEqual(
      [...call.dynamicMetadata!.get(rbacHttpFilterName)!],
      [
        ["istio_dry_run_deny_shadow_effective_policy_id", "dry"],
        ["istio_dry_run_deny_shadow_engine_result", "denied"],
      ],
    );
  });

  it("notes what it enforced, whichever way, and adds to what another RBAC filter noted", () => {
    const call = exchange();
    const allowing = filterOf(plan({ action: "allow", policies: [policy("a")] })).filter;
    const denying = filterOf(plan({ action: "deny", policies: [policy("d")] })).filter;
    const shadow = filterOf(plan(undefined, { shadowRules: { action: "allow", policies: [] } })).filter;
    allowing.onRequest!(call);
    shadow.onRequest!(call);
    denying.onRequest!(call);
    assert.deepEqual(Object.fromEntries(call.dynamicMetadata!.get(rbacHttpFilterName)!), {
      enforced_effective_policy_id: "d",
      enforced_engine_result: "denied",
      shadow_engine_result: "denied",
    });
    const other = exchange();
    allowing.onRequest!(other);
    assert.deepEqual(Object.fromEntries(other.dynamicMetadata!.get(rbacHttpFilterName)!), {
      enforced_effective_policy_id: "a",
      enforced_engine_result: "allowed",
    });
  });

  it("gives way to the route's own rules, and to a route that disables it", () => {
    const { filter } = filterOf(plan({ action: "allow", policies: [] }));
    const routed = (config: unknown) => {
      const call = exchange();
      const route = { filterConfigs: new Map([[rbacHttpFilterName, config]]) };
      call.match = { route, virtualHost: { name: "v" } } as unknown as Exchange["match"];
      return filter.onRequest!(call);
    };
    assert.equal(routed(compileRbacRoute(undefined)), "continue");
    assert.equal(routed(compileRbacRoute(plan({ action: "allow", policies: [policy("all")] }))), "continue");
    assert.equal(routed(compileRbacRoute(plan({ action: "deny", policies: [policy("all")] }))), "stop");
  });
});

describe("permissions", () => {
  const range = (address: string, prefixLength: number) => ({ address, prefixLength });
  const cases: readonly (readonly [what: string, permission: RbacPermission, expected: boolean])[] = [
    ["the path without its query", { kind: "url-path", matches: isExactly("/reviews/1") }, true],
    ["the path with its query", { kind: "url-path", matches: isExactly("/reviews/1?full=1") }, false],
    ["the port dialled", { kind: "destination-port", port: 9_080 }, true],
    ["another port", { kind: "destination-port", port: 80 }, false],
    ["a port range", { kind: "destination-port-range", start: 9_000, end: 9_081 }, true],
    [
      "a port range's end, which is not in it",
      { kind: "destination-port-range", start: 9_000, end: 9_080 },
      false,
    ],
    ["the address dialled", { kind: "destination-ip", range: range("10.0.0.0", 24) }, true],
    ["another network", { kind: "destination-ip", range: range("10.0.1.0", 24) }, false],
    ["not", { kind: "not", rule: { kind: "destination-port", port: 80 } }, true],
    ["and", { kind: "and", rules: [anyPermission, { kind: "destination-port", port: 80 }] }, false],
    ["or", { kind: "or", rules: [{ kind: "destination-port", port: 80 }, anyPermission] }, true],
    ["an empty or", { kind: "or", rules: [] }, false],
    ["absent metadata", { kind: "metadata", filter: "f", keys: ["k"], matches: (v) => v === "x" }, false],
    ["a server name", { kind: "requested-server-name", matches: isExactly("web") }, false],
  ];
  for (const [what, permission, expected] of cases) {
    it(`${what}: ${expected ? "matches" : "does not match"}`, () => {
      assert.equal(allows({ permission }), expected);
    });
  }
});

describe("principals", () => {
  const isReviews = isExactly(spiffe("reviews"));
  const authenticated: RbacPrincipal = { kind: "authenticated", matches: isReviews };
  const cases: readonly (readonly [string, RbacPrincipal, DownstreamConnection, boolean])[] = [
    ["the caller's identity", authenticated, from(spiffe("reviews")), true],
    ["one of several names", authenticated, from(spiffe("x"), spiffe("reviews")), true],
    ["another identity", authenticated, from(spiffe("ratings")), false],
    ["no certificate", authenticated, connection(), false],
    ["any identity", { kind: "authenticated", matches: undefined }, from(), true],
    [
      "any identity, without one",
      { kind: "authenticated", matches: undefined },
      connection({ isTls: true }),
      false,
    ],
    [
      "a DNS name while there is a URI",
      { kind: "authenticated", matches: isExactly("web") },
      connection({ peer: peerIdentity({ uris: ["spiffe://x"], dnsNames: ["web"] }) }),
      false,
    ],
    [
      "a DNS name where there is no URI",
      { kind: "authenticated", matches: isExactly("web") },
      connection({ peer: peerIdentity({ dnsNames: ["web"] }) }),
      true,
    ],
    [
      "the subject where there is nothing else",
      { kind: "authenticated", matches: isExactly("CN=web") },
      connection({ peer: peerIdentity({ subject: "CN=web" }) }),
      true,
    ],
    [
      "a source network",
      { kind: "direct-remote-ip", range: { address: "10.1.0.0", prefixLength: 16 } },
      connection(),
      true,
    ],
    [
      "an IPv4 network, dialled over IPv6",
      { kind: "direct-remote-ip", range: { address: "10.1.0.0", prefixLength: 16 } },
      connection({ remote: { kind: "ip", host: "::ffff:10.1.2.3", port: 1 } }),
      true,
    ],
    [
      "an IPv6 network",
      { kind: "direct-remote-ip", range: { address: "fd00::", prefixLength: 8 } },
      connection({ remote: { kind: "ip", host: "fd00::1", port: 1 } }),
      true,
    ],
    ["not another", { kind: "not", rule: authenticated }, from(spiffe("ratings")), true],
  ];
  for (const [what, principal, caller, expected] of cases) {
    it(`${what}: ${expected ? "matches" : "does not match"}`, () => {
      assert.equal(allows({ principal }, { connection: caller }), expected);
    });
  }

  it("the client's address is the forwarded one where that is trusted", () => {
    const principal: RbacPrincipal = { kind: "remote-ip", range: { address: "9.0.0.0", prefixLength: 8 } };
    assert.equal(allows({ principal }), false);
    assert.equal(allows({ principal }, { clientAddress: { kind: "ip", host: "9.9.9.9", port: 0 } }), true);
  });
});

describe("the network RBAC filter", () => {
  it("closes what is not allowed and says which policy decided", () => {
    const stats = networkRbacStats(new EnvoyStats(new MetricRegistry()), "tcp.");
    const principal: RbacPrincipal = { kind: "authenticated", matches: isExactly(spiffe("evil")) };
    const filter = createNetworkRbacFilter(
      plan({ action: "deny", policies: [policy("no evil", anyPermission, principal)] }),
      stats,
    );
    const evil = from(spiffe("evil"));
    assert.equal(filter.onConnection(evil), false);
    assert.equal(evil.terminationDetails, "rbac_access_denied_matched_policy[no_evil]");
    assert.equal(filter.onConnection(from(spiffe("good"))), true);
    assert.deepEqual([stats.allowed.value, stats.denied.value], [1, 1]);
  });

  it("never matches what only HTTP has", () => {
    const stats = networkRbacStats(new EnvoyStats(new MetricRegistry()), "tcp.");
    const permission: RbacPermission = { kind: "url-path", matches: () => true };
    const filter = createNetworkRbacFilter(
      plan({ action: "allow", policies: [policy("p", permission)] }),
      stats,
    );
    assert.equal(filter.onConnection(connection()), false);
  });
});
