import type { JsonObject } from "@bufbuild/protobuf";
import type { Node } from "../gen/envoy/config/core/v3/base_pb.js";

/** Who a client says it is. Only what its peer identity confirms can be trusted. */
export interface AdsNode {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: JsonObject;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  /** e.g. `envoy/1.40.0`, `weft/0.1.0`, `gRPC Node` */
  readonly userAgent: string;
  /** What the client says it can do, at most 64 of them. */
  readonly clientFeatures: readonly string[];
}

const maxClientFeatures = 64;

export function adsNodeOf(node: Node): AdsNode {
  const { locality, userAgentVersionType: agent } = node;
  return {
    id: node.id,
    cluster: node.cluster,
    metadata: node.metadata ?? {},
    locality: {
      region: locality?.region ?? "",
      zone: locality?.zone ?? "",
      subZone: locality?.subZone ?? "",
    },
    clientFeatures: node.clientFeatures.slice(0, maxClientFeatures),
    userAgent: [node.userAgentName, versionOf(agent)].filter((part) => part !== "").join("/"),
  };
}

function versionOf(agent: Node["userAgentVersionType"]): string {
  if (agent.case === "userAgentVersion") return agent.value;
  const version = agent.case === "userAgentBuildVersion" ? agent.value.version : undefined;
  return version ? `${version.majorNumber}.${version.minorNumber}.${version.patch}` : "";
}
