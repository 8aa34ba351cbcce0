import { isForWorkload } from "../model/policy-target.ts";
import type { Analyzer } from "./analyzer.ts";

const byIdentity = ["principals", "namespaces", "serviceAccounts", "trustDomains"] as const;

/** W2410: a DENY policy knows callers by their certificate, and the workload takes calls without one. */
export const findBypassedDenials: Analyzer = ({ mesh, resources }, diagnostics) => {
  for (const resource of resources.AuthorizationPolicy) {
    if (resource.spec.action !== "DENY") continue;
    const open = [...mesh.workloads.values()].find(
      (workload) =>
        isForWorkload(resource, workload, mesh.options) &&
        (workload.mtlsMode !== "STRICT" || workload.inbound.some(({ mtlsMode }) => mtlsMode !== "STRICT")),
    );
    if (!open) continue;
    resource.spec.rules?.forEach((rule, i) => {
      rule.from?.forEach(({ source }, j) => {
        const field = byIdentity.find((name) => source?.[name]?.length);
        if (!field) return;
        diagnostics.warning(
          "W2410",
          resource.origins.keyAt(`spec.rules[${i}].from[${j}].source.${field}`),
          `whom this denies can call ${open.workloadName} without mutual TLS, where nobody has an identity`,
          "take mutual TLS only (PeerAuthentication, mode STRICT), or deny everyone but whom an ALLOW policy names",
        );
      });
    });
  }
};
