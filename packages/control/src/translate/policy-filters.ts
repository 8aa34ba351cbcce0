import { create } from "@bufbuild/protobuf";
import { type Filter, FilterSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import type { RBAC } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import { RBACSchema as HttpRbacSchema } from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import { RBACSchema as NetworkRbacSchema } from "@weft/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb";
import type { MeshWorkload } from "../model/mesh.ts";
import { type HttpFilter, httpFilter } from "./http-filter.ts";
import { jwtFilter } from "./jwt-authentication.ts";
import { pack } from "./messages.ts";
import { rbacRules } from "./rbac.ts";
import { type RbacContext, rbacContext } from "./rbac-context.ts";

/** What the policies of a workload say about requests to it, in the order they are asked: who it is, then what is denied, then what is allowed. */
export function httpPolicyFilters(workload: MeshWorkload): HttpFilter[] {
  const authentication = jwtFilter(workload.jwtRules);
  return [...(authentication ? [authentication] : []), ...httpRbacFilters(workload)];
}

/** The part of it that gRPC applications know of themselves. */
export function httpRbacFilters(workload: MeshWorkload): HttpFilter[] {
  return enforced(workload, rbacContext(workload, "http")).map(([verdict, rules]) =>
    httpFilter(`envoy.filters.http.rbac.${verdict}`, pack(HttpRbacSchema, { rules })),
  );
}

/** Who may connect, where no requests are seen. */
export function tcpPolicyFilters(workload: MeshWorkload): Filter[] {
  return enforced(workload, rbacContext(workload, "tcp")).map(([, rules]) =>
    create(FilterSchema, {
      name: "envoy.filters.network.rbac",
      configType: { case: "typedConfig", value: pack(NetworkRbacSchema, { rules, statPrefix: "tcp." }) },
    }),
  );
}

/** What is denied is denied before it is allowed; without any ALLOW policy everything else is. */
function enforced(workload: MeshWorkload, context: RbacContext): (readonly [string, RBAC])[] {
  return (["DENY", "ALLOW"] as const).flatMap((action) => {
    const policies = workload.policies.filter((policy) => policy.action === action);
    if (policies.length === 0) return [];
    return [[action.toLowerCase(), rbacRules(action, policies, context)] as const];
  });
}
