import assert from "node:assert/strict";
import { test } from "node:test";
import { compileText } from "./testing.ts";

const cluster = (text: string) =>
  compileText(`static_resources: { clusters: [{ name: c, ${text} }] }`).clusters[0]!.plan;
const load =
  "load_assignment: { cluster_name: c, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: web.test, port_value: 80 } } } }] }] }";
const dns =
  "dns_refresh_rate: 7s, dns_jitter: 1s, respect_dns_ttl: true, dns_failure_refresh_rate: { base_interval: 2s }, dns_lookup_family: V4_ONLY";
const typedDns = (text: string) =>
  `cluster_type: { name: envoy.cluster.dns, typed_config: { "@type": type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster, ${text} } }`;

const settings = {
  refreshMs: 7_000,
  jitterMs: 1_000,
  respectsTtl: true,
  failureBackoff: { baseMs: 2_000, maxMs: 20_000 },
  family: "v4-only",
};

test("DNS settings mean the same beside the type and in a typed cluster", () => {
  for (const [text, kind] of [
    [`type: STRICT_DNS, ${dns}, ${load}`, "strict-dns"],
    [`type: LOGICAL_DNS, ${dns}, ${load}`, "logical-dns"],
    [`${typedDns(dns)}, ${load}`, "strict-dns"],
    [`${typedDns(`${dns}, all_addresses_in_single_endpoint: true`)}, ${load}`, "logical-dns"],
  ] as const) {
    const { endpoints, policy, ...found } = cluster(text).discovery as unknown as Record<string, unknown>;
    assert.deepEqual(found, { kind, ...settings });
  }
});

test("an aggregate names its clusters, and its balancer is its own", () => {
  const aggregate = `cluster_type: { name: envoy.clusters.aggregate, typed_config: { "@type": type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig, clusters: [a, b] } }`;
  const plan = cluster(`${aggregate}, lb_policy: CLUSTER_PROVIDED`);
  assert.deepEqual(plan.discovery, { kind: "aggregate", clusters: ["a", "b"] });
  assert.throws(() => cluster(aggregate), /CLUSTER_PROVIDED goes with ORIGINAL_DST and aggregate clusters/);
  assert.throws(
    () =>
      cluster(
        `${aggregate}, lb_policy: CLUSTER_PROVIDED, health_checks: [{ timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {} }]`,
      ),
    /has no endpoints to check/,
  );
});
