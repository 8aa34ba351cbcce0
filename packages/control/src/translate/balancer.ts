import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Cluster,
  type ClusterSchema,
  Cluster_LbPolicy as LbPolicy,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { Balancer, Warmup } from "../model/balancer.ts";
import { duration } from "./messages.ts";

type ClusterInit = Exclude<MessageInitShape<typeof ClusterSchema>, Cluster>;

/** The fields of a cluster that say how endpoints are chosen: by the fewest requests unless told otherwise. */
export function balancerFields(balancer: Balancer | undefined): ClusterInit {
  switch (balancer?.kind) {
    case "random":
      return { lbPolicy: LbPolicy.RANDOM };
    case "passthrough":
      return { lbPolicy: LbPolicy.CLUSTER_PROVIDED };
    case "round-robin": {
      if (!balancer.warmup) return { lbPolicy: LbPolicy.ROUND_ROBIN };
      const value = { slowStartConfig: slowStart(balancer.warmup) };
      return { lbPolicy: LbPolicy.ROUND_ROBIN, lbConfig: { case: "roundRobinLbConfig", value } };
    }
    case "consistent-hash":
      return hashFields(balancer.table);
    default: {
      if (!balancer?.warmup) return { lbPolicy: LbPolicy.LEAST_REQUEST };
      const value = { slowStartConfig: slowStart(balancer.warmup) };
      return { lbPolicy: LbPolicy.LEAST_REQUEST, lbConfig: { case: "leastRequestLbConfig", value } };
    }
  }
}

type Table = Extract<Balancer, { kind: "consistent-hash" }>["table"];

function hashFields(table: Table): ClusterInit {
  if (table.kind === "maglev") {
    const value = { tableSize: BigInt(table.size ?? 0) };
    return table.size === undefined
      ? { lbPolicy: LbPolicy.MAGLEV }
      : { lbPolicy: LbPolicy.MAGLEV, lbConfig: { case: "maglevLbConfig", value } };
  }
  const value = { minimumRingSize: BigInt(table.minimumSize ?? 0) };
  return table.minimumSize === undefined
    ? { lbPolicy: LbPolicy.RING_HASH }
    : { lbPolicy: LbPolicy.RING_HASH, lbConfig: { case: "ringHashLbConfig", value } };
}

function slowStart({ aggression, durationMs, minimumPercent }: Warmup) {
  return {
    slowStartWindow: duration(durationMs),
    // Envoy demands a key by which its runtime could change the value.
    ...(aggression === undefined
      ? {}
      : { aggression: { defaultValue: aggression, runtimeKey: "warmup.aggression" } }),
    ...(minimumPercent === undefined ? {} : { minWeightPercent: { value: minimumPercent } }),
  };
}
