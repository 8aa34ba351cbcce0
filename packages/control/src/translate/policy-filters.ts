import { create } from "@bufbuild/protobuf";
import { type Filter, FilterSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import type { RBAC } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import { RBACSchema as HttpRbacSchema } from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import { RBACSchema as NetworkRbacSchema } from "@weft/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb";
import type { MeshWorkload } from "../model/mesh.ts";
import type { MeshOptions } from "../model/mesh-options.ts";
import type { AuthorizationPolicy } from "../model/security.ts";
import {
  connectionAuthorization,
  customPolicyPrefix,
  customStatPrefix,
  externalAuthorization,
} from "./external-authorization.ts";
import { type HttpFilter, httpFilter } from "./http-filter.ts";
import { jwtFilter } from "./jwt-authentication.ts";
import { pack } from "./messages.ts";
import { rbacRules } from "./rbac.ts";
import { type RbacContext, rbacContext } from "./rbac-context.ts";

/** What the policies of one purpose say: what is enforced, and what is only evaluated. */
interface Verdicts {
  /** Goes into the filter's name. */
  readonly name: string;
  readonly rules?: RBAC;
  readonly shadowRules?: RBAC;
  readonly shadowRulesStatPrefix?: string;
}

/** What stands in the name of a policy that denies because nobody can be asked. */
const notAskable = "-denied-without-provider";

/**
 * What the policies of a workload say about requests to it, in Istio's order:
 * others are asked, then tokens are verified, what is noted is noted, what is
 * denied is denied, and what is left must be allowed where anything is.
 *
 * @param provesIdentities see `RbacContext`
 */
export function httpPolicyFilters(
  workload: MeshWorkload,
  options: MeshOptions,
  provesIdentities = true,
): HttpFilter[] {
  const context = rbacContext(workload, "http", options, provesIdentities);
  const authentication = jwtFilter(workload.jwtRules);
  return [
    ...customFilters(workload, options, context),
    ...(authentication ? [authentication] : []),
    ...builtIn(workload.policies, context).map(httpRbac),
  ];
}

/** What gRPC applications know of it themselves: they ask nobody, so what should be asked about is denied. */
export function proxylessPolicyFilters(workload: MeshWorkload, options: MeshOptions): HttpFilter[] {
  const context = rbacContext(workload, "http", options);
  return [...withoutProvider(workload.policies, context), ...builtIn(workload.policies, context)].map(
    httpRbac,
  );
}

/** Who may connect, where no requests are seen. Where nobody can be asked about connections, what should be is denied. */
export function tcpPolicyFilters(
  workload: MeshWorkload,
  options: MeshOptions,
  provesIdentities = true,
): Filter[] {
  const context = rbacContext(workload, "tcp", options, provesIdentities);
  return [
    ...customConnectionFilters(workload, options, context),
    ...builtIn(workload.policies, context).map(networkRbac),
  ];
}

/** For each provider that speaks Envoy's protocol an evaluation of its policies, and the question. */
function customConnectionFilters(
  workload: MeshWorkload,
  options: MeshOptions,
  context: RbacContext,
): Filter[] {
  const { authorizationProviders: known } = options.defaults;
  const [enforced] = byDryRun(workload.policies.filter(({ action }) => action === "CUSTOM"));
  const isAskable = ({ provider }: AuthorizationPolicy) => known[provider]?.kind === "grpc";
  const filters = byProvider(enforced.filter(isAskable)).flatMap(([provider, policies]) => {
    const asked = known[provider];
    if (asked?.kind !== "grpc") return [];
    const shadowRules = rbacRules("CUSTOM", policies, context, customPolicyPrefix(provider));
    return [
      networkRbac({ name: "custom", shadowRules, shadowRulesStatPrefix: customStatPrefix }),
      connectionAuthorization(provider, asked),
    ];
  });
  const others = enforced.filter((policy) => !isAskable(policy));
  return [...withoutProvider(others, context).map(networkRbac), ...filters];
}

function networkRbac({ name: _, ...verdicts }: Verdicts): Filter {
  return create(FilterSchema, {
    name: "envoy.filters.network.rbac",
    configType: {
      case: "typedConfig",
      value: pack(NetworkRbacSchema, { ...verdicts, statPrefix: "tcp." }),
    },
  });
}

function httpRbac({ name, ...verdicts }: Verdicts): HttpFilter {
  return httpFilter(`envoy.filters.http.rbac.${name}`, pack(HttpRbacSchema, verdicts));
}

function builtIn(policies: readonly AuthorizationPolicy[], context: RbacContext): Verdicts[] {
  return (["AUDIT", "DENY", "ALLOW"] as const).flatMap((action) => {
    const [enforced, dry] = byDryRun(policies.filter((policy) => policy.action === action));
    if (enforced.length + dry.length === 0) return [];
    const name = action.toLowerCase();
    return {
      name,
      ...(enforced.length > 0 ? { rules: rbacRules(action, enforced, context) } : {}),
      ...(dry.length > 0
        ? {
            shadowRules: rbacRules(action, dry, context),
            shadowRulesStatPrefix: `istio_dry_run_${name}_`,
          }
        : {}),
    };
  });
}

/** For each provider an evaluation of its policies, and the question. */
function customFilters(workload: MeshWorkload, options: MeshOptions, context: RbacContext): HttpFilter[] {
  const { authorizationProviders: known } = options.defaults;
  const [enforced, dry] = byDryRun(workload.policies.filter(({ action }) => action === "CUSTOM"));
  const filters: HttpFilter[] = [];
  for (const [provider, policies] of byProvider(enforced)) {
    const asked = known[provider];
    if (!asked) continue;
    const shadowRules = rbacRules("CUSTOM", policies, context, customPolicyPrefix(provider));
    const name = `custom.${provider}`;
    filters.push(
      httpRbac({ name, shadowRules, shadowRulesStatPrefix: customStatPrefix }),
      externalAuthorization(provider, asked),
    );
  }
  const unknown = enforced.filter(({ provider }) => !known[provider]);
  if (dry.length > 0) {
    const shadowRules = rbacRules("CUSTOM", dry, context);
    filters.push(httpRbac({ name: "custom", shadowRules, shadowRulesStatPrefix: "istio_dry_run_custom_" }));
  }
  return [...withoutProvider(unknown, context).map(httpRbac), ...filters];
}

function withoutProvider(policies: readonly AuthorizationPolicy[], context: RbacContext): Verdicts[] {
  const [enforced] = byDryRun(policies.filter(({ action }) => action === "CUSTOM"));
  if (enforced.length === 0) return [];
  return [{ name: "custom.denied", rules: rbacRules("CUSTOM", enforced, context, "", notAskable) }];
}

function byProvider(policies: readonly AuthorizationPolicy[]): [string, readonly AuthorizationPolicy[]][] {
  return [...Map.groupBy(policies, ({ provider }) => provider)].sort(([a], [b]) => (a < b ? -1 : 1));
}

function byDryRun(
  policies: readonly AuthorizationPolicy[],
): [enforced: AuthorizationPolicy[], dry: AuthorizationPolicy[]] {
  return [policies.filter(({ isDryRun }) => !isDryRun), policies.filter(({ isDryRun }) => isDryRun)];
}
