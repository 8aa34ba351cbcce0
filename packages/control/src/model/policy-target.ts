import type { PolicyTargetSpec } from "../config/security-specs.ts";
import { hasLabels } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";

/** By which the proxies of a Gateway are known, as in the Gateway API and Istio. */
export const gatewayLabel = "gateway.networking.k8s.io/gateway-name";

interface Policy {
  readonly namespace: string;
  readonly spec: PolicyTargetSpec;
}

interface Selectable {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Whether it selects by more than its namespace. */
export function isSelective({ selector, targetRef, targetRefs }: PolicyTargetSpec): boolean {
  return (
    targetRef !== undefined || targetRefs !== undefined || Object.keys(selector?.matchLabels ?? {}).length > 0
  );
}

/**
 * Whether a policy is for a workload: of its namespace, or of the root
 * namespace, whose policies hold everywhere; with the labels that are named, or
 * a proxy of a Gateway that is referred to.
 */
export function isForWorkload(
  { namespace, spec }: Policy,
  workload: Selectable,
  { rootNamespace }: Pick<MeshOptions, "rootNamespace">,
): boolean {
  const references = spec.targetRefs ?? (spec.targetRef ? [spec.targetRef] : undefined);
  if (references) {
    const gateway = workload.labels[gatewayLabel];
    return namespace === workload.namespace && references.some(({ name }) => name === gateway);
  }
  const isInScope = namespace === workload.namespace || namespace === rootNamespace;
  return isInScope && hasLabels(workload.labels, spec.selector?.matchLabels);
}
