import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ApiConfigSourceSchema } from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import type { BootstrapPlan } from "../bootstrap.ts";

/** Names who this proxy is and whom it asks: kept configuration of any other pair is not its own. */
export function configOwner({ message, ads }: BootstrapPlan): string {
  const hash = createHash("sha256").update(JSON.stringify([message.node?.id, message.node?.cluster]));
  const config = message.dynamicResources?.adsConfig;
  if (config) hash.update(toBinary(ApiConfigSourceSchema, config));
  for (const cluster of message.staticResources?.clusters ?? []) {
    if (cluster.name === ads?.cluster) hash.update(toBinary(ClusterSchema, cluster));
  }
  return hash.digest("hex");
}
