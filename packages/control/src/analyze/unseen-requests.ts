import type { AuthorizationRuleSpec } from "../config/security-specs.ts";
import { isForWorkload } from "../model/policy-target.ts";
import { isHttp } from "../model/protocol.ts";
import type { Analyzer } from "./analyzer.ts";

const ofRequests = ["hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"] as const;

/** W2411: a policy asks about requests where none can be seen: an ALLOW rule allows nothing there, a DENY rule denies more. */
export const findUnseenRequests: Analyzer = ({ mesh, resources }, diagnostics) => {
  for (const resource of resources.AuthorizationPolicy) {
    const selected = [...mesh.workloads.values()].filter(
      (workload) => workload.inbound.length > 0 && isForWorkload(resource, workload, mesh.options),
    );
    const blind = selected.filter(({ inbound }) => inbound.every(({ protocol }) => !isHttp(protocol)));
    if (blind.length === 0 || blind.length < selected.length) continue;
    const effect = resource.spec.action === "DENY" ? "denies every connection" : "allows nothing";
    resource.spec.rules?.forEach((rule, i) => {
      const path = requestField(rule);
      if (path === undefined) return;
      diagnostics.warning(
        "W2411",
        resource.origins.at(`spec.rules[${i}].${path}`),
        `${blind[0]!.workloadName} serves TCP only, where requests are not seen: this rule ${effect}`,
        "name ports and sources only, or declare the port's protocol (name it http-…, or set appProtocol)",
      );
    });
  }
};

function requestField(rule: AuthorizationRuleSpec): string | undefined {
  for (const [i, { operation }] of (rule.to ?? []).entries()) {
    const field = ofRequests.find((name) => operation?.[name]?.length);
    if (field) return `to[${i}].operation.${field}`;
  }
  const when = (rule.when ?? []).findIndex(({ key }) => key.startsWith("request."));
  return when < 0 ? undefined : `when[${when}].key`;
}
