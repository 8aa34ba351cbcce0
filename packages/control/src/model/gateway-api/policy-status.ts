import type { Diagnostics } from "@weft/base/diagnostics";
import type { PolicyTargetRefSpec } from "../../config/gateway-api-specs.ts";
import { type ResourceOf, resourceKey } from "../../config/resource.ts";
import type { Mesh } from "../mesh.ts";
import type { Service } from "../service.ts";
import type { ResourcesByKind } from "../sorting.ts";
import { BackendTlsPolicies } from "./backend-tls.ts";
import { findTarget } from "./find-parent.ts";
import type { Condition } from "./route-status.ts";

type Policy = ResourceOf<"BackendTLSPolicy">;

/** What became of a policy at one of its targets. */
export interface TargetStatus {
  readonly target: PolicyTargetRefSpec;
  /** What it is for, as far as it is there. */
  readonly places: readonly { readonly host: string; readonly ports: readonly number[] }[];
  readonly conditions: readonly Condition[];
}

/** By resource key, then by target in the order they are written. */
export type TargetStatuses = ReadonlyMap<string, readonly TargetStatus[]>;

/** What became of the BackendTLSPolicies; what is wrong is also said where it was written. */
export function backendTlsTargets(
  resources: ResourcesByKind,
  mesh: Pick<Mesh, "services" | "options">,
  diagnostics: Diagnostics,
): TargetStatuses {
  const policies = new BackendTlsPolicies(resources);
  return new Map(
    resources.BackendTLSPolicy.map((policy) => {
      const refs = trustCondition(policy, policies, diagnostics);
      const isUnverifiable = policies.resolve(policy).tls.isUnverifiable ?? false;
      const lookup = { ...mesh, entries: resources.ServiceEntry };
      const targets = policy.spec.targetRefs.map((target, i) => {
        const problem = targetProblem(policy, target, lookup, policies);
        if (problem) {
          const at = policy.origins.at(`spec.targetRefs[${i}]`);
          const code = problem.reason === "TargetNotFound" ? "IST0101" : "W2124";
          diagnostics.warning(code, at, problem.message, problem.hint);
        }
        const lost = problem ?? (isUnverifiable ? unverifiable : undefined);
        const accepted: Condition = lost
          ? { type: "Accepted", isTrue: false, reason: lost.reason, message: lost.message }
          : { type: "Accepted", isTrue: true, reason: "Accepted", message: "its callers speak TLS" };
        return { target, places: placesOf(policy, target, lookup), conditions: [accepted, refs] };
      });
      return [resourceKey(policy), targets];
    }),
  );
}

function placesOf(
  { namespace }: Policy,
  target: PolicyTargetRefSpec,
  lookup: Parameters<typeof findTarget>[2],
): TargetStatus["places"] {
  const found = findTarget(target, namespace, lookup);
  if ("message" in found) return [];
  return found.map(({ hostname: host, ports }) => ({
    host,
    ports: ports
      .filter(({ name }) => !target.sectionName || name === target.sectionName)
      .map(({ number }) => number),
  }));
}

interface Problem {
  readonly reason: "TargetNotFound" | "Conflicted" | "NoValidCACertificate";
  readonly message: string;
  readonly hint?: string;
}

const unverifiable: Problem = {
  reason: "NoValidCACertificate",
  message: "nothing verifies the server: calls are refused",
};

function targetProblem(
  policy: Policy,
  target: PolicyTargetRefSpec,
  lookup: Parameters<typeof findTarget>[2],
  policies: BackendTlsPolicies,
): Problem | undefined {
  const found = findTarget(target, policy.namespace, lookup);
  if ("message" in found) return { reason: "TargetNotFound", message: found.message };
  const { sectionName } = target;
  const hasPort = ({ ports }: Service) => !sectionName || ports.some(({ name }) => name === sectionName);
  if (!found.some(hasPort)) {
    const known = found.flatMap(({ ports }) => ports.map(({ name }) => name)).join(", ") || "none";
    const message = `${target.kind} ${target.name} has no port "${sectionName}"`;
    return { reason: "TargetNotFound", message, hint: `its ports: ${known}` };
  }
  const rival = policies.rivalOf(policy, target);
  if (!rival) return undefined;
  const message = `BackendTLSPolicy ${rival.namespace}/${rival.name} is for ${target.kind} ${target.name} too, and older or first by name: this one does nothing there`;
  return { reason: "Conflicted", message, hint: "keep one of them" };
}

function trustCondition(policy: Policy, policies: BackendTlsPolicies, diagnostics: Diagnostics): Condition {
  const { problems } = policies.resolve(policy);
  for (const { path, message } of problems) {
    const hint = "calls to servers that it alone would verify are refused";
    diagnostics.warning("IST0101", policy.origins.at(path), message, hint);
  }
  const [first] = problems;
  if (!first) return { type: "ResolvedRefs", isTrue: true, reason: "ResolvedRefs", message: "all are known" };
  const message = problems.map((problem) => `${problem.path}: ${problem.message}`).join("; ");
  return { type: "ResolvedRefs", isTrue: false, reason: first.reason, message };
}
