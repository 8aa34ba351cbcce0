import type { Finding } from "./finding.ts";
import type { PolicyTargetSpec, TargetReferenceSpec } from "./security-specs.ts";

const gatewayGroup = "gateway.networking.k8s.io";

/** For which workloads a policy is: named by labels, or the proxies of Gateways. */
export function checkPolicyTarget(spec: PolicyTargetSpec, find: Finding): void {
  const ways = (["selector", "targetRef", "targetRefs"] as const).filter(
    (field) => spec[field] !== undefined,
  );
  if (ways.length > 1) {
    find.error("W1106", `spec.${ways[1]}`, `spec sets ${ways.join(" and ")} at once`, "keep one of them");
  }
  for (const [key, value] of Object.entries(spec.selector?.matchLabels ?? {})) {
    if (!key.includes("*") && !value.includes("*")) continue;
    find.error("W1105", "spec.selector.matchLabels", `the label ${key}: ${value} has a wildcard`);
  }
  if (spec.targetRef) checkReference(spec.targetRef, "spec.targetRef", find);
  spec.targetRefs?.forEach((reference, i) => {
    checkReference(reference, `spec.targetRefs[${i}]`, find);
  });
}

function checkReference(
  { group = "", kind, namespace }: TargetReferenceSpec,
  path: string,
  find: Finding,
): void {
  if (namespace) {
    find.error("W1105", `${path}.namespace`, `${path}: a policy is for its own namespace`, "leave it out");
  }
  if (kind === "Gateway" && group === gatewayGroup) return;
  const full = group === "" ? kind : `${kind} (${group})`;
  const hint = instead[full];
  const message = hint
    ? `${path}: what refers to a ${kind} is enforced by waypoints, and there are none here: nobody would enforce it`
    : `${path}: a policy is not for a ${full}`;
  find.error(
    "W1302",
    `${path}.kind`,
    message,
    hint ?? "refer to a Gateway, or name the workloads by selector",
  );
}

/** What does the same where destinations enforce policies themselves. */
const instead: Readonly<Record<string, string>> = {
  Service: "name its workloads by selector.matchLabels, as the Service's own selector does",
  "ServiceEntry (networking.istio.io)":
    "send it through an egress gateway, and name that by selector, with to.operation.hosts",
  "GatewayClass (gateway.networking.k8s.io)": "refer to each Gateway by name",
};
