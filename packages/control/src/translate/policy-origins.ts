import type { Metadata } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { MeshWorkload } from "../model/mesh.ts";
import type { Provenance } from "../model/provenance.ts";
import type { ClientFeatures } from "./client-features.ts";
import { istioMetadata } from "./messages.ts";
import { ruleOrigins } from "./rbac.ts";

/** What a listener that enforces the policies of a workload says of where it and they were written. */
export function listenerMetadata(
  { policies, jwtRules }: Pick<MeshWorkload, "policies" | "jwtRules">,
  { explainsReplies }: ClientFeatures,
  source?: Provenance,
): Metadata | undefined {
  if (!explainsReplies || policies.length + jwtRules.length === 0) return istioMetadata(source);
  const ofTokens = Object.fromEntries(jwtRules.map((rule) => [rule.name, rule.source.origin]));
  return istioMetadata(source, { policies: { ...ruleOrigins(policies), ...ofTokens } });
}
