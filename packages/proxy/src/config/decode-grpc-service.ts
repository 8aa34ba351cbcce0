import type { GrpcService } from "@weft/xds/gen/envoy/config/core/v3/grpc_service_pb";
import type { GrpcTarget } from "../filters/grpc-callout.ts";
import type { DecodeContext } from "./decode-context.ts";
import { timeoutMs } from "./decode-values.ts";
import { at } from "./issues.ts";

/** A service that is called through a cluster; its `timeout`, or else `defaultTimeoutMs`, bounds a call. */
export function decodeGrpcService(
  service: GrpcService | undefined,
  defaultTimeoutMs: number,
  path: string,
  { issues, knownClusters }: DecodeContext,
): GrpcTarget {
  const target = service?.targetSpecifier;
  const envoy = target?.case === "envoyGrpc" ? target.value : undefined;
  const cluster = envoy?.clusterName ?? "";
  if (!envoy) issues.add(path, "needs `envoy_grpc`", "name the cluster to call");
  else if (cluster === "") issues.add(at(path, "envoy_grpc.cluster_name"), "is empty", "name the cluster");
  else if (knownClusters && !knownClusters.has(cluster)) {
    const place = at(path, "envoy_grpc.cluster_name");
    issues.add(place, `unknown cluster '${cluster}'`, "define it under static_resources.clusters");
  }
  const metadata = (service?.initialMetadata ?? []).flatMap(({ key, value }, i) => {
    const place = `${at(path, "initial_metadata")}[${i}]`;
    if (!/^[a-z0-9_.-]+$/.test(key) || key.startsWith("grpc-")) {
      issues.add(at(place, "key"), `${JSON.stringify(key)} is not a name for metadata`);
    }
    return [key, value];
  });
  return {
    cluster,
    authority: envoy?.authority || cluster,
    metadata,
    timeoutMs: timeoutMs(service?.timeout, defaultTimeoutMs, at(path, "timeout"), issues),
  };
}
