import type { TcpProxy } from "@weft/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb";
import { hashSourceIp } from "../hash/hash-policy.ts";
import type { TcpProxyPlan } from "../listener/listener-plan.ts";
import { decodeAccessLogs } from "./decode-access-log.ts";
import type { DecodeContext } from "./decode-context.ts";
import { subsetOf, timeoutMs } from "./decode-values.ts";
import { at } from "./issues.ts";

type Choice = ReturnType<TcpProxyPlan["selectCluster"]>;

export function decodeTcpProxy(tcp: TcpProxy, path: string, context: DecodeContext): TcpProxyPlan {
  const { issues } = context;
  if (tcp.statPrefix === "")
    issues.add(at(path, "stat_prefix"), "is empty", "name the statistics of this listener");
  if (tcp.maxConnectAttempts === 0) issues.add(at(path, "max_connect_attempts"), "is at least 1");
  return {
    kind: "tcp",
    statPrefix: tcp.statPrefix,
    selectCluster: decodeChoice(tcp, path, context),
    hashPolicy: tcp.hashPolicy.some(({ policySpecifier }) => policySpecifier.case === "sourceIp")
      ? hashSourceIp
      : undefined,
    idleTimeoutMs: timeoutMs(tcp.idleTimeout, 3_600_000, at(path, "idle_timeout"), issues),
    maxConnectAttempts: tcp.maxConnectAttempts ?? 1,
    accessLogs: decodeAccessLogs(tcp.accessLog, at(path, "access_log"), context),
  };
}

function decodeChoice(tcp: TcpProxy, path: string, { issues }: DecodeContext): TcpProxyPlan["selectCluster"] {
  const subset = subsetOf(tcp.metadataMatch);
  const specifier = tcp.clusterSpecifier;
  if (specifier.case === "cluster") {
    const choice: Choice = { cluster: specifier.value, subset };
    return () => choice;
  }
  if (specifier.case !== "weightedClusters") {
    issues.add(path, "needs `cluster` or `weighted_clusters`");
    return () => ({ cluster: "", subset: undefined });
  }
  const { clusters } = specifier.value;
  const place = at(path, "weighted_clusters.clusters");
  if (clusters.length === 0) issues.add(place, "is empty", "list at least one cluster");
  const total = clusters.reduce((sum, entry) => sum + entry.weight, 0);
  clusters.forEach((entry, i) => {
    if (entry.weight < 1) issues.add(`${place}[${i}].weight`, "is at least 1");
  });
  const choices = clusters.map(
    (entry): Choice => ({
      cluster: entry.name,
      subset: subsetOf(entry.metadataMatch) ?? subset,
    }),
  );
  return (random) => {
    let rest = random * total;
    for (let i = 0; i < clusters.length - 1; i++) {
      rest -= clusters[i]!.weight;
      if (rest < 0) return choices[i]!;
    }
    return choices[clusters.length - 1]!;
  };
}
